"""The saved views of a sweep in the MLflow UI, as plain data.

A saved view is a tag of the experiment, in the UI's own format (MLflow 3.17); the UI offers it in its menu of views.
"""

import base64
import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from lossbench.ground.files import shortened
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Plan

# Without this part of a link the UI opens its pages for language models, until the user clicks "Model training".
TRAINING = "workflowType=machine_learning"
# The part of a link that opens a view's charts instead of its table.
CHARTS = "compareRunsMode=CHART"


@dataclass(frozen=True)
class View:
    """A saved view of an experiment: a search with the columns and charts that show its results.

    Attributes
    ----------
    key, name : str
        The view's name in links, and in the UI's menu.
    kind : str
        The kind of runs that the view shows (tag ``kind``).
    search, order : str
        MLflow's search for the runs, and the column that sorts them.
    columns : list of str
        The columns of the table, in this order.
    metrics : list of str
        The metrics that are drawn as curves, intervals and final values; none where one chart would mix data sets.
    longest_name : int
        The number of characters of the longest run name, for the column's width.
    groups : bool
        Whether runs are grouped by data set.
    """

    key: str
    name: str
    kind: str
    search: str
    order: str
    ascending: bool
    columns: list[str]
    metrics: list[str]
    longest_name: int
    groups: bool = False

    @property
    def charts(self) -> bool:
        """Whether the view draws cells; of single runs there are too many to tell them apart."""
        return self.kind == "cell" and bool(self.metrics)

    @property
    def tag(self) -> str:
        """The name of the experiment's tag that holds the view."""
        return f"mlflow.sharedViewState.{self.key}"

    def content(self, created: int) -> str:
        """Return the value of the view's tag; ``created`` is in milliseconds since 1970."""
        by_dataset = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "dataset"}]}
        charts, sections = _charts(self.metrics)
        state = {
            "searchFilter": self.search,
            "orderByKey": self.order,
            "orderByAsc": self.ascending,
            "selectedColumns": self.columns,
            "columnOrder": ["attributes.`Run Name`", *self.columns],
            # Pixels, wide enough for whole names: they differ at their ends, which a narrow column would cut off.
            "columnWidths": {"attributes.`Run Name`": 6 * self.longest_name + 60}
            | {name: 6 * len(name) - 5 for name in self.columns},
            # By default the UI draws only ten runs.
            "runsHiddenMode": "SHOW_ALL",
            "groupBy": by_dataset if self.groups else None,
            "useGroupedValuesInCharts": False,
            "compareRunCharts": charts,
            "compareRunSections": sections,
            "isAccordionReordered": True,
        }
        # Compressed as the UI does it, because a tag has room for 5000 characters only.
        packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
        return json.dumps({"name": self.name, "createdAt": created, "state": f"deflate;{packed}"})


def views(plan: Plan) -> list[View]:
    """Return the views of a sweep: all cells, the cells of each data set, and the runs that went wrong."""
    datasets = list(dict.fromkeys(cell.dataset for cell in plan.cells))
    found = [_cells_view(plan, datasets)]
    if len(datasets) > 1:
        found += [_cells_view(plan, [dataset]) for dataset in datasets]
    metrics = list(dict.fromkeys(cell.metric for cell in plan.cells))
    columns = ["tags.`status`", "metrics.`diverged_epoch`", *(f"metrics.`final/test/{m}`" for m in metrics)]
    columns.append("tags.`error`")
    for name, condition in (("diverged or failed", "tags.status != 'finished'"), ("stuck", "tags.stuck = 'true'")):
        search = f"tags.kind = 'run' and {condition}"
        key = f"seeds-{name.split()[0]}"
        longest = found[0].longest_name + len("/seed=1000")
        drawn = found[0].metrics
        found.append(View(key, f"seeds: {name}", "run", search, "tags.`cell`", True, columns, drawn, longest))
    return found


def _cells_view(plan: Plan, datasets: list[str]) -> View:
    cells = [cell for cell in plan.cells if cell.dataset in datasets]
    metrics = list(dict.fromkeys(cell.metric for cell in cells))
    finals = [f"final/test/{metric}" for metric in metrics]
    swept = [f"params.`{key}`" for key in dict.fromkeys(key for cell in cells for key in cell.swept)]
    longest = max(len(cell.name) for cell in cells)
    if len(datasets) > 1:
        columns = [f"metrics.`{name}`" for name in (*finals, "stuck", "diverged", "failed", "runs")] + swept
        search, order = "tags.kind = 'cell'", "attributes.start_time"
        # The data sets have values of their own, which one chart would put on one axis.
        return View("cells", "losses on all data sets", "cell", search, order, True, columns, [], longest, True)
    final, dataset = finals[0], datasets[0]
    spread = (f"{final}_low", f"{final}_high", f"{final}_median", f"{final}_std")
    names = (final, *spread, "stuck", "diverged", "failed", "runs")
    search = f"tags.kind = 'cell' and params.dataset = {quoted(dataset)}"
    ascending = lower_is_better(metrics[0])
    columns = [f"metrics.`{name}`" for name in names] + swept
    key = "cells-" + shortened(re.sub(r"[^A-Za-z0-9_.-]", "-", dataset))
    return View(key, f"losses on {dataset}", "cell", search, f"metrics.`{final}`", ascending, columns, metrics, longest)


def quoted(text: str) -> str:
    """Return a text in quotes for MLflow's searches, in double ones if it has a single quote."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def _charts(metrics: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the charts and their sections; the sections that the UI adds for all other metrics stay folded."""
    charts = [_line("intervals", f"test/{name}", f"test/{name}_low", f"test/{name}_high") for name in metrics]
    charts += [_line("curves", f"{split}/{name}") for name in (*metrics, "loss") for split in ("test", "train")]
    charts += [_chart("BAR", "final", f"final/test/{name}") for name in metrics]
    titles = {
        "intervals": "Mean with 95 % interval",
        "curves": "Mean curves",
        "final": "Means after training",
    }
    others = ("test", "train", "final/test", "final/train", "naive/test", "naive/train", "")
    folded = [_section(f"all {name}", name, display=False) for name in others]
    if not metrics:
        return [], folded
    return charts, [_section(key, title, display=True) for key, title in titles.items()] + folded


def _line(section: str, *metrics: str) -> dict[str, Any]:
    axes = {"xAxisKey": "step", "xAxisScaleType": "linear", "scaleType": "linear", "yAxisKey": "metric", "range": {}}
    return _chart("LINE", section, metrics[0]) | axes | {"selectedMetricKeys": metrics, "lineSmoothness": 0}


def _chart(kind: str, section: str, metric: str) -> dict[str, Any]:
    named = {"uuid": f"{section} {metric}", "type": kind, "metricSectionId": section, "metricKey": metric}
    return named | {"deleted": False, "isGenerated": False, "runsCountToCompare": 100}


def _section(key: str, name: str, *, display: bool) -> dict[str, Any]:
    # In one column, for legends with whole names.
    named = {"uuid": key, "name": name, "display": display, "columns": 1, "cardHeight": 440}
    return named | {"deleted": False, "isGenerated": not display, "isReordered": False}
