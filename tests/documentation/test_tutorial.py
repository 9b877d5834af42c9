"""The tutorial, followed from its first command to its last: every text that it shows is what was printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import BIN, environment
from support.documents import fences

NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Another processor adds up in another order.
NEAR = 0.02


def near(shown: str, printed: str) -> bool:
    """Say whether two lines have the same words, and numbers that differ by the last digits at most."""
    if " ".join(NUMBER.sub("0", shown).split()) != " ".join(NUMBER.sub("0", printed).split()):
        return False
    pairs = zip(map(float, NUMBER.findall(shown)), map(float, NUMBER.findall(printed)), strict=True)
    return all(abs(a - b) <= NEAR * max(abs(a), abs(b)) for a, b in pairs)


def test_lines_are_near_where_words_are_equal_and_numbers_nearly_so():
    assert near("rmse 57.248 ± 4.752, n 30", "rmse  57.25 ± 4.75, n 30")
    assert not near("rmse 57.248", "rmse 60.0")
    assert not near("rmse 57.248", "accuracy 57.248")


@pytest.mark.slow
def test_the_tutorial_prints_what_it_shows(tmp_path):
    env = {**environment(tmp_path), "COLUMNS": "80"}
    env["PATH"] = f"{BIN}:{env['PATH']}"
    printed: list[str] = []
    n_shown = 0
    for fence in fences(Path("docs/tutorial.md")):
        if fence.language == "text":
            missing = [line for line in fence.text.splitlines() if not any(near(line, other) for other in printed)]
            assert not missing, "\n".join(printed)
            n_shown += 1
        elif not fence.why:
            command = ["bash", "-ec", fence.text] if fence.language == "sh" else [sys.executable, "-c", fence.text]
            done = subprocess.run(
                command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
            )
            assert done.returncode == 0, done.stderr
            printed = done.stdout.splitlines()
    assert n_shown == 6
