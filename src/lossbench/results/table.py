"""``results.csv``: a row for each run of a sweep."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lossbench.config.search_space import LEARNING_RATE
from lossbench.ground.files import write_text
from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.results.causes import cause, last_finite_loss
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run, RunInfo

# The last columns; empty for runs that work.
OF_BAD_RUNS = ("diverged_epoch", "last_finite_loss", "cause", "remedy")


def results_table(plan: Plan, results: list[CellResults]) -> pd.DataFrame:
    """Return a table with a row for each run of the plan, missing runs included.

    Its columns are the run's cell, its seed, in a cross-validation its repetition and fold, its status, its swept
    settings, every final metric, and of runs that do not work the likely cause.
    """
    in_folds = any(cell.settings.folds for cell in plan.cells)
    swept = list(dict.fromkeys(key for cell in plan.cells for key in cell.swept))
    scores = list(dict.fromkeys(name for result in results for run in result.runs for name in run.info.scores))
    rows = []
    for result in results:
        runs = {run.info.id: run for run in result.runs}
        rows += [
            _row(plan, result.cell, each, runs.get(each), swept, in_folds=in_folds) for each in plan.runs(result.cell)
        ]
    table = pd.DataFrame(rows)
    # Sorted by split, so that all metrics of a split stand side by side.
    ordered = [name for split in ("train", "validation", "test") for name in scores if name.startswith(f"{split}/")]
    others = [name for name in table.columns if name not in (*scores, *OF_BAD_RUNS)]
    return table.reindex(columns=[*others, *ordered, *OF_BAD_RUNS])


def _row(plan: Plan, cell: Cell, run: RunId, there: Run | None, swept: list[str], *, in_folds: bool) -> dict[str, Any]:
    info = there.info if there else None
    row: dict[str, Any] = {
        "sweep": plan.name,
        "cell": cell.name,
        "dataset": cell.dataset,
        "head": cell.head,
        "loss": cell.loss,
        **({"repetition": _whole(run.repetition), "fold": _whole(run.fold)} if in_folds else {}),
        "seed": run.seed,
        "status": info.status if info else "missing",
        "stuck": info.stuck if info else False,
        "learning_rate": _learning_rate(cell, info),
    }
    values = {"tune": "none", **cell.swept}
    row |= {key: json.dumps(v) if isinstance(v := values.get(key), (list, dict)) else v for key in swept}
    return row | (info.scores if info else {}) | _of_bad_run(cell, there)


def _of_bad_run(cell: Cell, run: Run | None) -> dict[str, Any]:
    """Return when a run diverged, its last finite loss, and the likely cause; nothing of a run that works."""
    if run is None or run.info.works:
        return {}
    found = cause(cell, run)
    epoch = run.info.diverged_epoch
    when = (epoch, last_finite_loss(run)) if epoch else ("", None)
    return dict(zip(OF_BAD_RUNS, (*when, *((found.why, found.remedy) if found else ("", ""))), strict=True))


def _whole(value: int | None) -> int | str:
    """Return a number as it is and nothing as an empty text; pandas would make fractions of a column with both."""
    return "" if value is None else value


def _learning_rate(cell: Cell, info: RunInfo | None) -> float | None:
    """Return the learning rate that a run was trained with; None if its study has chosen none."""
    if info is not None and info.tuned:
        return info.tuned[LEARNING_RATE]
    return None if cell.is_tuned else cell.settings.optimizer.learning_rate


def write_results(plan: Plan, results: list[CellResults]) -> Path:
    """Write ``results.csv`` unless it is up to date, and return its path; the same runs give the same bytes."""
    path = plan.folder / "results.csv"
    text = results_table(plan, results).to_csv(index=False, lineterminator="\n")
    if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != text:
        write_text(path, text)
    return path
