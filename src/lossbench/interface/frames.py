"""The curves and the predictions of a sweep's runs as pandas tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from lossbench.config.settings import FileSettings, OwnSettings
from lossbench.losses.heads import HEADS, NUMBER_TASKS, decide
from lossbench.planning.plan import Cell
from lossbench.results.cells import CellResults
from lossbench.results.part_files import Run


def curves_frame(results: list[CellResults]) -> pd.DataFrame:
    """Return a table with a row for each run and epoch, and a column for each curve (``test/accuracy``)."""

    def own(result: CellResults, run: Run) -> dict[str, Any] | None:
        epochs = run.array("epochs")
        return None if epochs is None else {"epoch": epochs, **run.curves}

    return _of_runs(results, own, ["epoch"])


def predictions_frame(results: list[CellResults]) -> pd.DataFrame:
    """Return a table with a row for each run and test row: what is true, and what the run predicts.

    For numbers ``predicted`` is in the targets' own unit. For classes it is the class decided for, by its name where
    the data have names, and the columns ``output_0`` and so on hold the outputs of the network's head.
    """
    return _of_runs(results, _predictions, ["row", "true", "predicted"])


def _of_runs(results: list[CellResults], own: Any, columns: list[str]) -> pd.DataFrame:
    """Return what ``own`` gives for each run, one below the other, with the columns that tell the run."""
    frames = [
        pd.DataFrame({**_identity(result.cell, run), **content})
        for result, run in _runs(results)
        if (content := own(result, run)) is not None
    ]
    if not frames:
        return pd.DataFrame(columns=["cell", "dataset", "loss", "head", "seed", *columns])
    return pd.concat(frames, ignore_index=True)


def _runs(results: list[CellResults]) -> Iterator[tuple[CellResults, Run]]:
    for result in results:
        for run in result.runs:
            yield result, run
            # A run's arrays take 100 kB; a sweep may have thousands of runs.
            run.forget()


def _identity(cell: Cell, run: Run) -> dict[str, Any]:
    place = {"repetition": run.info.repetition, "fold": run.info.fold} if cell.settings.folds else {}
    return {
        "cell": cell.name,
        "dataset": cell.dataset,
        "loss": cell.loss,
        "head": cell.head,
        **place,
        "seed": run.info.seed,
    }


def _predictions(result: CellResults, run: Run) -> dict[str, Any] | None:
    raw, true = run.array("raw/test"), result.test_targets(run)
    if raw is None or true is None:
        return None
    rows = run.array("test/rows")
    found: dict[str, Any] = {"row": np.arange(len(raw)) if rows is None else rows}
    outputs = HEADS[result.cell.head].activate(raw.astype(np.float64))
    if result.cell.task in NUMBER_TASKS:
        true = true.reshape(len(raw), -1)
        predicted = result.in_unit(outputs[:, : true.shape[1]], run)
        return found | _columns(result.cell, true, predicted)
    pair = result.cell.pair
    decided = decide(raw, pair.head, pair.encoding, pair.task).astype(int)
    if result.cell.task == "multilabel":
        return found | _columns(result.cell, true.astype(int), decided)
    names = _class_names(result.cell)
    found |= {"true": names[true.astype(int)], "predicted": names[decided]}
    return found | {f"output_{place}": column for place, column in enumerate(outputs.T)}


def _columns(cell: Cell, true: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """Return the columns of targets that are several numbers or labels, by their names."""
    n = true.shape[1]
    if n == 1:
        return {"true": true[:, 0], "predicted": predicted[:, 0]}
    settings = cell.settings.dataset
    names = settings.target if isinstance(settings, FileSettings) and len(settings.target) == n else range(n)
    values = (("true", true), ("predicted", predicted))
    return {f"{word}_{name}": array[:, place] for place, name in enumerate(names) for word, array in values}


def _class_names(cell: Cell) -> np.ndarray:
    """Return the name of each class: that of the file, else its number."""
    settings = cell.settings.dataset
    labels = settings.facts.labels if isinstance(settings, OwnSettings) else []
    return np.array(labels, object) if labels else np.arange(max(2, cell.n_outputs))
