"""Every command in a fence of the documents is run as it stands, or marked with what ran it."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from support.commands import BIN, environment, run
from support.documents import DOCUMENTS, Fence, commands, fences

COMMANDS = [fence for document in DOCUMENTS for fence in fences(document) if fence.language == "sh"]
# The tutorial has a test of its own.
RUN = sorted({fence.document for fence in COMMANDS if not fence.why} - {Path("docs/tutorial.md")})
# The fences that no test runs as they stand.
MARKED = {"long": 39, "server": 2, "slurm": 1}
HOUSES = "area,wall,price\n" + "".join(
    f"{i * 37 % 101},{'brick' if i % 3 else 'wood'},{50 + i * 37 % 101 + i % 7}.5\n" for i in range(60)
)
# The sweeps of which the pages speak, with few short runs.
SHORT = ("seeds=6", "epochs=2", "tracking.enabled=false")
PREPARED = (
    ("experiment=tutorial", "name=tutorial", *SHORT),
    ("experiment=tutorial", "dataset=circles", "name=other", "seeds=6", "epochs=3", "tracking.enabled=false"),
    (
        *("-m", "experiment=advise", "dataset.path=house.csv", "dataset.target=price", "loss=mse,huber", "seeds=1"),
        *("epochs=30", "tune.trials=2", "repeat.repetitions=1", "tracking.enabled=false"),
    ),
)


def test_fences_without_a_run_are_counted():
    assert Counter(fence.why for fence in COMMANDS if fence.why) == MARKED


@pytest.mark.parametrize("by", sorted({fence.by for fence in COMMANDS if fence.by}))
def test_what_a_mark_names_is_there(by):
    targets = re.findall(r"^([a-z-]+):.*## ", Path("Makefile").read_text(), re.MULTILINE)
    if by.startswith("make "):
        assert by.removeprefix("make ") in targets
    elif by.startswith("benchmarks/"):
        assert Path(by).exists()
    else:
        assert [path for path in Path("tests").rglob("test_*.py") if f"def {by}(" in path.read_text()]


def written(fence: Fence, home: Path) -> None:
    """Write a program that a page shows into the file that its first line names."""
    if name := re.match(r"# (\w+\.py)\n", fence.text):
        (home / name[1]).write_text(fence.text)


def with_names(text: str, home: Path) -> str:
    """Return commands with names of sweeps in place of ``advise-…`` and ``<sweep>``, which is the newest."""
    sweeps = sorted((home / "multirun").glob("*/plan.json"), key=lambda path: path.stat().st_mtime)
    names = [path.parent.name for path in sweeps]
    advised = [name for name in names if name.startswith("advise-")]
    return text.replace("advise-…", advised[-1] if advised else "").replace("<sweep>", names[-1] if names else "")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Return a folder with the sweeps of which the pages speak."""
    home = tmp_path_factory.mktemp("prepared")
    (home / "house.csv").write_text(HOUSES)
    for command in PREPARED:
        done = run(home, *command)
        assert done.status == 0, done.err
    return home


@pytest.mark.slow
@pytest.mark.parametrize("document", RUN, ids=str)
def test_commands_of_a_page_work_as_they_stand(document, tmp_path, prepared):
    (tmp_path / "house.csv").write_text(HOUSES)
    if any(re.search(r"lossbench-(export|report)", fence.text) for fence in fences(document)):
        shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    env = environment(tmp_path)
    env["PATH"] = f"{BIN}:{env['PATH']}"
    for fence in fences(document):
        written(fence, tmp_path)
        if fence.language != "sh" or fence.why:
            continue
        script = with_names(commands(fence.text), tmp_path)
        done = subprocess.run(
            ["bash", "-exc", script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
