"""Gathers the content of a report as data, from the files of a sweep and nothing else."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lossbench import __version__
from lossbench.findings.claims import Finding, check_claims
from lossbench.findings.published import Published, published
from lossbench.findings.tables import Table, tables
from lossbench.planning.plan import Cell, Plan
from lossbench.report.across_datasets import Ranking, overall_figures, rankings
from lossbench.report.caveats import limits
from lossbench.report.dataset_section import Section, section
from lossbench.report.figures.frame import Figure, SvgPanel, as_svg
from lossbench.results.cells import CellResults
from lossbench.results.damage import CELL, read_cell_file
from lossbench.results.part_files import FAILED

# The most runs whose arrays are kept in memory together; a run takes about 100 kB.
MOST_HELD = 2000


class Content:
    """The content of a sweep's report; each part is computed when first used."""

    def __init__(self, plan: Plan, results: list[CellResults], found: list[Table] | None = None):
        self.plan = plan
        self.results = results
        self.tables = tables(plan, results) if found is None else found
        self.version = __version__

    @cached_property
    def cells(self) -> dict[str, dict[str, Any]]:
        """The content of each cell's ``cell.json``, by the cell's name."""
        found = {}
        for cell in self.plan.cells:
            folder = self.plan.folder / cell.folder
            if (folder / CELL).exists():
                found[cell.name] = read_cell_file(folder)
        return found

    @cached_property
    def sections(self) -> list[Section]:
        """A section for each data set."""
        found = []
        for table in self.tables:
            found.append(section(self.plan, table))
            self._forget()
        return found

    def _forget(self) -> None:
        """Free the arrays of all runs if there are more than ``MOST_HELD``; they are read again when next used."""
        if self.n_runs > MOST_HELD:
            for result in self.results:
                for run in result.runs:
                    run.forget()

    # ---- Over all data sets.

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Mean ranks of the losses that several data sets share."""
        return rankings(self.tables)

    @cached_property
    def overall(self) -> list[Figure[SvgPanel]]:
        """Figures over data sets and over swept numbers."""
        return [as_svg(figure) for figure in overall_figures(self.plan, self.tables, self.rankings)]

    @property
    def figures(self) -> list[Figure[SvgPanel]]:
        """All figures, in the order of the page."""
        return [*(figure for section in self.sections for figure in section.figures), *self.overall]

    @cached_property
    def published(self) -> list[Published]:
        """The published values, beside the range of our runs."""
        return published(self.plan, self.results)

    @cached_property
    def findings(self) -> list[Finding]:
        """The published claims, with verdicts from these results."""
        found = check_claims(self.plan, self.results)
        self._forget()
        return found

    # ---- How the results were produced.

    @cached_property
    def facts(self) -> list[tuple[str, str]]:
        """The facts that reproduce the sweep: command, seeds, versions, commit and digests of the data."""
        infos = [run.info for result in self.results for run in result.runs]
        versions = _distinct(
            ", ".join(f"{name} {v}" for name, v in found["versions"].items()) for found in self.cells.values()
        )
        sources = _distinct(_source(found) for found in self.cells.values())
        digests = _distinct(
            f"{self._data(name)} {found['digest']}" for name, found in self.cells.items() if "digest" in found
        )
        facts = [
            ("command", self.plan.command),
            ("seeds", "; ".join(dict.fromkeys(_seeds(self.plan, cell) for cell in self.plan.cells))),
            ("lossbench", self.version),
            ("libraries", "; ".join(versions)),
            ("commit", "; ".join(filter(None, sources)) or "not a git checkout"),
            ("data (digest of the arrays)", "; ".join(digests)),
        ]
        if infos:
            first, last = min(info.started for info in infos), max(info.ended for info in infos)
            facts.append(("trained", f"{_moment(first)} to {_moment(last)}"))
        return facts

    def _data(self, name: str) -> str:
        return next(cell.data for cell in self.plan.cells if cell.name == name)

    @cached_property
    def n_runs(self) -> int:
        """The number of the plan's runs that have a part file, failed ones included."""
        return sum(len(result.runs) for result in self.results)

    @cached_property
    def wrong(self) -> list[str]:
        """A line for each cell and each kind of run that went wrong: diverged, stuck or failed."""
        said = [f"{s.table.data}: {line}" for s in self.sections for row in s.rows for line in row.wrong]
        return said + [f"{s.table.data}: {s.hidden_wrong}" for s in self.sections if s.hidden_wrong]

    @cached_property
    def errors(self) -> list[str]:
        """The distinct error messages of failed runs, with their cells."""
        failed = [(r.cell.name, run.info.error) for r in self.results for run in r.runs if run.info.status == FAILED]
        return _distinct(f"{name}: {error.splitlines()[-1][:300]}" for name, error in failed if error)

    @cached_property
    def limits(self) -> list[str]:
        """Sentences that say how far the numbers may be trusted."""
        tuned = any(figure.name.endswith("learning-rates") for figure in self.figures)
        return limits(self.plan, n_tables=len(self.tables), tuned=tuned)


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _source(found: dict[str, Any]) -> str:
    source = found.get("source") or {}
    return source.get("commit", "")[:12] + (", with changes" if source.get("dirty") == "true" else "")


def _seeds(plan: Plan, cell: Cell) -> str:
    seeds, folds = plan.seeds[cell.settings.repeat.name], cell.settings.folds
    text = ", ".join(map(str, seeds))
    if seeds == list(range(len(seeds))):
        text = f"{len(seeds)}: 0 to {len(seeds) - 1}"
    return f"{text}, in each of {folds.repetitions} x {folds.folds} folds" if folds else text


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
