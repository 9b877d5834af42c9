"""The headings of the page on troubleshooting are what lossbench prints."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from lossbench.ground.errors import UsageError
from lossbench.planning.command_line import read_flags, read_overrides
from lossbench.planning.planner import make_plan

HEADINGS = re.findall(r"^### (.*)$", Path("docs/troubleshooting.md").read_text(), re.MULTILINE)
ROWS = "area,wall,price\n" + "".join(f"{i * 7 % 97 / 10},brick,{100 + i % 7}\n" for i in range(60))
FILES = {
    "house.csv": ROWS,
    "missing.csv": ROWS.replace("0.7,", ",", 1),
    "question.csv": ROWS.replace("0.7,", "?,", 1),
    "semicolon.csv": ROWS.replace(",", ";"),
    "short.csv": ROWS + "1,brick\n",
    "case.csv": ROWS.replace("brick,101", "Brick,101"),
    "flat.csv": re.sub(r"\d+\n", "5\n", ROWS),
}
# A command that prints what a heading says, by the heading's beginning up to what differs.
COMMANDS = {
    "there is no file": "dataset.path=hose.csv dataset.target=price",
    "… has no column": "dataset.path=house.csv dataset.target=prize",
    "…: column … has no value": "dataset.path=missing.csv dataset.target=price",
    "…: column … has numbers": "dataset.path=question.csv dataset.target=price",
    "…: dataset.sep=": "dataset.path=semicolon.csv dataset.target=price",
    "…: this row has": "dataset.path=short.csv dataset.target=price",
    "…: the classes": "dataset.path=case.csv dataset.target=wall",
    "…: the target": "dataset.path=flat.csv dataset.target=price",
    "unknown key": "dataset=circles lr=0.1",
    "unknown loss": "dataset=circles loss=hubber",
    "… asks for more": "dataset=circles loss=hinge,bce",
    "… needs predictions": "dataset=circles loss=bce head=linear",
    "… is for …": "dataset=circles loss=poisson",
    "… needs a validation": "dataset=circles early_stopping.patience=3",
    "tune.seeds": "dataset=circles tune=learning_rate seeds=[1000]",
    "… is not of the form": "circles",
    "lossbench has no option": "dataset=circles --seeds 5",
}
# Printed by a sweep that runs, not by one that is refused.
OF_RUNS = ("another lossbench", "the learning rate", "the network gives", "too few epochs", "inconclusive", "out of")


def planned(command: str) -> None:
    flags = read_flags(command.split())
    make_plan(read_overrides(flags.overrides, multirun=flags.multirun), "", lambda *_: None)


def pattern(heading: str) -> str:
    return re.escape(heading.removesuffix("…")).replace("…", ".+")


@cache
def texts() -> list[str]:
    """Return the texts of the source, with a sign where a value is put in."""
    found = []
    for path in Path("src/lossbench").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_every_heading_has_a_command_or_a_text_of_a_run():
    assert not [h for h in HEADINGS if sum(h.startswith(begin) for begin in (*COMMANDS, *OF_RUNS)) != 1]


@pytest.mark.parametrize("begin", COMMANDS)
def test_a_refused_command_prints_the_heading(begin, tmp_path, monkeypatch):
    (heading,) = [each for each in HEADINGS if each.startswith(begin)]
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    with pytest.raises(UsageError) as raised:
        planned(COMMANDS[begin])
    assert re.search(f"error: {pattern(heading)}", str(raised.value)), str(raised.value)
    assert "hint: " in str(raised.value)


@pytest.mark.parametrize("begin", OF_RUNS)
def test_what_runs_print_stands_in_the_source(begin):
    (heading,) = [each for each in HEADINGS if each.startswith(begin)]
    assert [text for text in texts() if re.search(pattern(heading).replace(r"\(.+\)", r"\(.*"), text)]
