"""The results of a sweep for users of Python: tables of pandas, figures of Matplotlib, and the answer in words."""

import io
from functools import cached_property
from html import escape
from pathlib import Path

import matplotlib
import pandas as pd

from lossbench.findings.sentences import answer
from lossbench.findings.tables import Table, tables
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.interface.drawing import Drawing, as_drawing
from lossbench.interface.frames import curves_frame, predictions_frame
from lossbench.planning.plan import Plan
from lossbench.report import drawing as ink
from lossbench.report.across_datasets import overall_figures, rankings
from lossbench.report.dataset_section import frame
from lossbench.report.figures.all import all_figures
from lossbench.report.freshness import PAGE
from lossbench.report.markdown import comparison_csv
from lossbench.results.cells import CellResults, read_results
from lossbench.results.table import results_table


class Sweep:
    """The results of a sweep, read from its files when they are first used.

    Made by ``lossbench.load`` and ``lossbench.compare``. Runs that are trained later are seen by loading it again.
    """

    def __init__(self, plan: Plan):
        self._plan = plan

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self._plan.name

    @property
    def folder(self) -> Path:
        """The folder of its files."""
        return self._plan.folder

    @property
    def command(self) -> str:
        """The command that ran it, and that continues it."""
        return self._plan.command

    @property
    def report(self) -> Path:
        """The path of the report's page."""
        return self.folder / PAGE

    # ---- Tables.

    @cached_property
    def results(self) -> pd.DataFrame:
        """A row for each run: its cell, seed and status, and every final metric (``test/accuracy``)."""
        return results_table(self._plan, self._results)

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """A row for each cell and metric: mean, difference to the baseline, intervals, p values and verdict."""
        return pd.read_csv(io.StringIO(comparison_csv(self._plan, self._results)))

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row for each run and epoch, a column for each curve (``test/loss``)."""
        return curves_frame(self._results)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each run and test row: ``true`` and ``predicted``, for classes also the network's outputs."""
        return predictions_frame(self._results)

    @cached_property
    def _results(self) -> list[CellResults]:
        return read_results(self._plan)

    @cached_property
    def _tables(self) -> list[Table]:
        return tables(self._plan, self._results)

    # ---- The answer.

    @property
    def answer(self) -> str:
        """Which losses are best on each data set, in a sentence for each."""
        return "\n".join(filter(None, (answer(table) for table in self._tables)))

    @property
    def best(self) -> dict[str, list[str]]:
        """The best loss on each data set, and after it those that the runs cannot tell from it."""
        return {table.data: [table.results[place].cell.label for place in table.group] for table in self._tables}

    # ---- Figures.

    @cached_property
    def figures(self) -> dict[str, Drawing]:
        """All figures of the report by their names (``circles-curves``)."""
        with matplotlib.rc_context(ink.STYLE):
            found = [figure for table in self._tables for figure in all_figures(frame(self._plan, table))]
            found += overall_figures(self._plan, self._tables, rankings(self._tables))
            return {figure.name: as_drawing(figure) for figure in found}

    def figure(self, name: str) -> Drawing:
        """Return a figure of the report.

        Parameters
        ----------
        name : str
            Its name (``circles-curves``); its ending (``curves``) will do if the sweep has one such figure.

        Raises
        ------
        UsageError
            If there is no such figure, or several.
        """
        if name in self.figures:
            return self.figures[name]
        meant = [each for each in self.figures if each.endswith(f"-{name}")]
        if len(meant) == 1:
            return self.figures[meant[0]]
        if meant:
            raise UsageError(Problem(f"there are several figures {name!r}.", f"name one of {', '.join(meant)}."))
        raise UsageError(unknown("figure", name, self.figures))

    def __repr__(self) -> str:
        n = f"{len(self._plan.cells)} cells, {self._plan.n_runs} runs"
        return "\n".join([f"{self.name}: {n}, {self.folder}", *filter(None, [self.answer])])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the answer, and a row for each cell."""
        shown = ["data", "loss", "head", "metric", "n", "mean", "difference", "p_holm", "verdict"]
        main = {(table.data, table.metric) for table in self._tables}
        kept = [pair in main for pair in zip(self.comparison["data"], self.comparison["metric"], strict=True)]
        said = "".join(f"<p>{escape(line)}</p>" for line in self.answer.splitlines())
        table = self.comparison.loc[kept, shown].to_html(index=False, na_rep="", float_format="{:.4g}".format)
        return f"<b>{escape(self.name)}</b>{said}{table}"
