"""``lossbench`` without arguments: the sweeps of this folder, what is open in them, and what to do next."""

import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

from lossbench.commands.list_sweeps import by_date, date, state
from lossbench.config.paths import home, shown
from lossbench.console.text_tables import WIDTH, text_table
from lossbench.findings.number_formats import counted
from lossbench.ground.errors import SUCCESS, UsageError
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.part_files import runs_on_disk

# Of more sweeps only the newest are shown: the runs of each are read to tell its state.
MOST_SHOWN = 10
EXAMPLES = (
    ("lossbench experiment=tutorial", "270 runs, half a minute"),
    ("lossbench -m dataset=circles loss=bce,hinge", "two losses, 30 seeds each"),
    ("lossbench experiment=advise dataset=diabetes", "which loss to train with"),
    ("lossbench-list", "what can be chosen"),
    ("lossbench --help", "all settings"),
)
OWN_FILE = "with a file of yours: dataset.path=house.csv dataset.target=price for dataset=…"


def run() -> int:
    """Print where one stands, and return the exit status; nothing is trained."""
    for line in lines():
        print(line)
    return SUCCESS


def lines() -> list[str]:
    """Return a table of the newest sweeps, what is open in them, and commands for what comes next."""
    folders = by_date()
    newest = folders[:MOST_SHOWN]
    if not folders:
        said = (
            "lossbench trains a network with each loss, over many seeds, and says how far the losses differ. There "
            f"is no sweep in {shown(home() / 'multirun')} yet."
        )
        return [*textwrap.wrap(said, WIDTH), "", *_examples("to begin:")]
    rows = [["sweep", "date", "state"], *([folder.name, date(folder), state(folder)] for folder in newest)]
    found = text_table(rows, left=3)
    if len(folders) > len(newest):
        found.append(f"{counted(len(folders) - len(newest), 'earlier sweep')}: lossbench-list sweeps")
    pages = [folder / "report.html" for folder in newest if (folder / "report.html").exists()]
    if pages:
        found += ["", f"newest report: {shown(pages[0])}", "all runs in MLflow: lossbench-ui"]
    return [*found, *_open_lines(newest), "", *_examples("what else there is:")]


def _open_lines(folders: list[Path]) -> Iterator[str]:
    """Yield for each sweep with open runs how many these are, and the command that trains them."""
    for folder in folders:
        try:
            plan = read_plan(folder)
        except UsageError:
            # Its row says so.
            continue
        n_open = plan.n_runs - _n_there(plan)
        if n_open:
            is_open, them = ("is open", "it") if n_open == 1 else ("are open", "them")
            # Commands are not wrapped, so that they can be copied.
            yield from ["", f"{counted(n_open, 'run')} of {plan.name} {is_open}; this trains {them}:"]
            yield f"  {_command(plan)}"


def _command(plan: Plan) -> str:
    """Return the command of a sweep as it continues; with ``rerun`` it would train finished runs again."""
    return shlex.join(word for word in shlex.split(plan.command) if not word.startswith("rerun="))


def _n_there(plan: Plan) -> int:
    """Return how many of a plan's runs are on disk."""
    return sum(len(set(plan.runs(cell)).intersection(runs_on_disk(plan.folder / cell.folder))) for cell in plan.cells)


def _examples(heading: str) -> list[str]:
    """Return the examples below a heading, each with what it does in a column beside it."""
    width = max(len(command) for command, _ in EXAMPLES)
    return [heading, *(f"  {command.ljust(width)}  {what}" for command, what in EXAMPLES), OWN_FILE]
