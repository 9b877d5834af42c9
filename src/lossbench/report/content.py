"""What a report says, as data: gathered from a sweep's files and nothing else."""

import json
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from lossbench import __version__
from lossbench.advice import advice_lines
from lossbench.answer import answer, verdict_hint, what_went_wrong
from lossbench.comparison import Comparison, mean_interval
from lossbench.comparison.diagnosis import Diagnosis
from lossbench.datasets.table import DATASETS
from lossbench.factcheck import Finding, check_claims
from lossbench.losses.table import LOSSES
from lossbench.plan import Cell, Plan
from lossbench.report.figures.all import all_figures
from lossbench.report.figures.frame import Figure, Frame
from lossbench.report.ink import MARKERS, Mark, mark
from lossbench.report.measures import diagnosis, mean_text, metrics_of, published
from lossbench.report.overall import Ranking, overall_figures, rankings
from lossbench.report.wording import LEARNING_RATE, limits
from lossbench.results import FAILED, CellResults
from lossbench.samples import Table, tables
from lossbench.studies import TOLERANCE, read_outcome

# So many runs may be in memory together: about 100 kB each.
MOST_HELD = 2000
SYMBOLS = dict(zip(MARKERS, "●■▲◆▼✚✖★", strict=True))


@dataclass(frozen=True)
class Row:
    """A cell in its data set's table.

    Attributes
    ----------
    wrong : list of str
        How many of its runs diverged, are stuck or failed, and with which seeds.
    """

    cell: Cell
    label: str
    mark: Mark
    mean: float
    half_width: float
    n: int
    train: float
    comparison: Comparison | None
    verdict: str
    in_group: bool
    diagnosis: Diagnosis
    wrong: list[str]
    n_not_working: int
    n_runs: int

    @property
    def symbol(self) -> str:
        """Its marker as a letter."""
        return SYMBOLS[self.mark.marker]

    @property
    def meaning(self) -> str:
        """What its loss means, and its formula."""
        loss = LOSSES.get(self.cell.settings["loss"]["name"])
        return f"{loss.formula}: {loss.meaning}" if loss else ""


@dataclass(frozen=True)
class Section:
    """All that is said of one data set."""

    table: Table
    rows: list[Row]
    sentence: str
    hints: list[str]
    naive: float
    ceiling: float
    about: str
    metrics: list[str]
    other: list[tuple[Row, list[str]]]
    figures: list[Figure]

    @property
    def slug(self) -> str:
        """Its name as a link's target."""
        return "".join(c if c.isalnum() else "-" for c in self.table.data)

    @property
    def arrow(self) -> str:
        """Which way is better, in words."""
        return "lower is better" if self.table.lower_is_better else "higher is better"


class Content:
    """The report of a sweep."""

    def __init__(self, plan: Plan, results: list[CellResults]):
        self.plan = plan
        self.results = results
        self.tables = tables(plan, results)
        self.version = __version__

    @cached_property
    def cells(self) -> dict[str, dict[str, Any]]:
        """What ``cell.json`` says of each cell, by name."""
        found = {}
        for cell in self.plan.cells:
            path = self.plan.folder / cell.folder / "cell.json"
            if path.exists():
                found[cell.name] = json.loads(path.read_text())
        return found

    @cached_property
    def sections(self) -> list[Section]:
        """One for each data set."""
        found = []
        for table in self.tables:
            found.append(self._section(table))
            self._forget()
        return found

    def _tuning_hints(self, result: CellResults) -> list[str]:
        """Say which learning rate a cell's study chose, how tolerant the loss is, and what is doubtful about it."""
        outcome = read_outcome(self.plan.folder / result.cell.folder) if result.cell.is_tuned else None
        if outcome is None:
            return []
        if not outcome.parameters:
            return [f"{result.cell.label}: {outcome.problem}."]
        low, high = outcome.tolerance[0], outcome.tolerance[-1]
        text = f"{result.cell.label}: learning rate {outcome.learning_rate:.2g}, best of {outcome.n_trials} trials"
        text += f"; from {low:.2g} to {high:.2g} it does as well, within {100 * TOLERANCE:.0f} %."
        return [text, *([f"{result.cell.label}: {outcome.warning}."] if outcome.warning else [])]

    def _forget(self) -> None:
        """Let go of arrays where all of them together would take much memory."""
        if self.n_runs > MOST_HELD:
            for result in self.results:
                for run in result.runs:
                    run.forget()

    def _section(self, table: Table) -> Section:
        name = f"test/{table.metric}"
        ceiling = next((r.ceiling[name] for r in table.results if name in r.ceiling), math.nan)
        naive = next((r.naive.get(name, math.nan) for r in table.results if r.naive), math.nan)
        arrays = next(filter(None, (self._arrays(r.cell, "data.npz") for r in table.results)), {})
        shapes = {r.cell.name: found for r in table.results if "loss" in (found := self._arrays(r.cell, "shape.npz"))}
        trials = {r.cell.name: tried for r in table.results if (tried := self._trials(r.cell))}
        drawn = Frame(table, arrays, shapes, trials, ceiling)
        rows = [self._row(table, i, drawn.label(result)) for i, result in enumerate(table.results)]
        metrics = metrics_of(table)
        return Section(
            table=table,
            rows=rows,
            sentence=answer(table),
            hints=[
                *verdict_hint(table),
                *(f"{label}: {n} runs missing or failed" for label, n in table.missing.items()),
                *(text for result in table.results for text in self._tuning_hints(result)),
                *(line.strip() for line in (advice_lines(self.plan, table) if self.plan.report["recommend"] else [])),
            ],
            naive=naive,
            ceiling=ceiling,
            about=self._about(table.results[0].cell, arrays),
            metrics=metrics,
            other=[
                (row, [mean_text(r, f"test/{m}") for m in metrics]) for row, r in zip(rows, table.results, strict=True)
            ],
            figures=all_figures(drawn),
        )

    def _arrays(self, cell: Cell, name: str) -> dict[str, np.ndarray]:
        try:
            with np.load(self.plan.folder / cell.folder / name, allow_pickle=False) as file:
                return {key: file[key] for key in file.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return {}

    def _trials(self, cell: Cell) -> list[tuple[float, float]]:
        """Return the learning rate and the value of each trial of a tuned cell's study, as they lie on disk."""
        found = []
        for path in sorted((self.plan.folder / cell.folder / "study").glob("trial=*.json")):
            trial = json.loads(path.read_text())
            value = trial.get("value")
            found.append((float(trial["parameters"][LEARNING_RATE]), math.nan if value is None else float(value)))
        return found

    def _about(self, cell: Cell, arrays: dict[str, np.ndarray]) -> str:
        settings = cell.settings["dataset"]
        counts = [f"{len(arrays[f'y/{s}'])} {s}" for s in ("train", "validation", "test") if f"y/{s}" in arrays]
        own = [f"{key} {value}" for key, value in settings.items() if key not in ("name", "split", "standardize")]
        return "; ".join(filter(None, [DATASETS[settings["name"]].description, ", ".join(own), ", ".join(counts)]))

    def _row(self, table: Table, place: int, label: str) -> Row:
        result, own = table.results[place], table.samples[place]
        interval = mean_interval(own.working)
        return Row(
            cell=result.cell,
            label=label,
            mark=mark(result.cell.loss),
            mean=interval.mean,
            half_width=interval.half_width,
            n=interval.n,
            train=mean_interval(result.working_scores(f"train/{table.metric}")).mean,
            comparison=table.comparisons[place],
            verdict=table.verdict(place),
            in_group=place in table.group,
            diagnosis=diagnosis(result),
            wrong=what_went_wrong(result, label),
            n_not_working=int(own.fails.sum()),
            n_runs=int(own.there.sum()),
        )

    # ---- Over all data sets.

    @cached_property
    def rankings(self) -> list[Ranking]:
        """Mean ranks of the losses that several data sets share."""
        return rankings(self.tables)

    @cached_property
    def overall(self) -> list[Figure]:
        """Figures over data sets and over swept numbers."""
        return overall_figures(self.plan, self.tables, self.rankings)

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the page."""
        return [*(figure for section in self.sections for figure in section.figures), *self.overall]

    @property
    def numbers(self) -> dict[str, tuple[list[str], list[list[Any]]]]:
        """What all figures are made of: the name of each table, its columns and its rows."""
        return {figure.name: (figure.columns, figure.rows) for figure in self.figures}

    @cached_property
    def published(self) -> list[dict[str, Any]]:
        """Published values beside ours."""
        return published(self.plan, self.results)

    @cached_property
    def findings(self) -> list[Finding]:
        """What the results say to the claims of others."""
        found = check_claims(self.plan, self.results)
        self._forget()
        return found

    # ---- How it came about.

    @cached_property
    def facts(self) -> list[tuple[str, str]]:
        """What is needed to make it again."""
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
            ("seeds", _seeds(self.plan.seeds)),
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
        """How many runs there are."""
        return sum(len(result.runs) for result in self.results)

    @cached_property
    def wrong(self) -> list[str]:
        """Every cell whose runs diverged, are stuck or failed."""
        return [f"{s.table.data}: {line}" for s in self.sections for row in s.rows for line in row.wrong]

    @cached_property
    def errors(self) -> list[str]:
        """What the failed runs said last."""
        failed = [(r.cell.name, run.info.error) for r in self.results for run in r.runs if run.info.status == FAILED]
        return _distinct(f"{name}: {error.splitlines()[-1][:300]}" for name, error in failed if error)

    @cached_property
    def limits(self) -> list[str]:
        """What the numbers say, and what they do not."""
        tuned = any(figure.name.endswith("learning-rates") for figure in self.figures)
        return limits(self.plan, n_tables=len(self.tables), tuned=tuned)


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _source(found: dict[str, Any]) -> str:
    source = found.get("source") or {}
    return source.get("commit", "")[:12] + (", with changes" if source.get("dirty") == "true" else "")


def _seeds(seeds: list[int]) -> str:
    if seeds == list(range(len(seeds))):
        return f"{len(seeds)}: 0 to {len(seeds) - 1}"
    return ", ".join(map(str, seeds))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
