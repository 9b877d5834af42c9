"""Writes the files that all runs of a cell share, before its first run is trained.

These are ``cell.json`` (settings and reference values), the description of the model, ``data.npz`` (targets) and
``shape.npz`` (the loss as a curve).
"""

import functools
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.config.settings import plain
from lossbench.export.saved_model.contents import model_contents
from lossbench.export.saved_model.reading import FORMAT
from lossbench.export.saved_model.reading import NAME as MODEL
from lossbench.ground.files import write_arrays, write_text
from lossbench.jobs.prepare import PreparedCell
from lossbench.losses.shape import loss_shape
from lossbench.results.provenance import commit

log = logging.getLogger(__name__)


def write_cell(prepared: PreparedCell, folder: Path) -> None:
    """Write the files that all runs of a cell share to the cell's folder.

    Where runs have rows of their own, the targets and the naive predictor are the runs', not the cell's.
    """
    cell, dataset = prepared.cell, prepared.dataset
    shared = not cell.settings.repeat.has_own_rows
    content: dict[str, Any] = {
        "name": cell.name,
        "key": cell.key,
        "settings": plain(cell.settings),
        "task": cell.task,
        "digest": dataset.digest,
        "target_scaling": dataset.target_scaling.to_json() if shared and dataset.target_scaling else None,
        "naive": prepared.naive if shared else {},
        "naive_loss": prepared.naive_loss if shared else None,
        "ceiling": prepared.ceiling if shared else {},
        **({"n_rows": sum(len(split.y) for split in dataset.splits.values())} if cell.settings.folds else {}),
        "source": commit(),
        "versions": _versions(),
    }
    if prepared.outcome is not None:
        content["study"] = asdict(prepared.outcome)
    texts = {
        "cell.json": json.dumps(content, indent=1, sort_keys=True),
        MODEL: json.dumps(_model(prepared), sort_keys=True),
    }
    arrays = {"shape.npz": _shape(prepared)}
    if shared:
        arrays["data.npz"] = {f"y/{name}": split.y for name, split in dataset.splits.items()}
        if prepared.grid is not None:
            arrays["data.npz"] |= {f"x/{name}": split.x for name, split in dataset.splits.items()}
    _write_at_once(folder, texts, arrays)


def _write_at_once(folder: Path, texts: dict[str, str], arrays: dict[str, dict[str, np.ndarray]]) -> None:
    """Write files side by side: each waits for the disk, and together they wait hardly longer than one."""
    with ThreadPoolExecutor(len(texts) + len(arrays), thread_name_prefix="write") as pool:
        written = [pool.submit(write_text, folder / name, f"{text}\n") for name, text in texts.items()]
        written += [pool.submit(write_arrays, folder / name, each) for name, each in arrays.items()]
    for each in written:
        each.result()


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("tensorflow", "keras", "numpy", "scikit-learn")}


def _model(prepared: PreparedCell) -> dict[str, Any]:
    if prepared.cell.settings.draws_samples:
        return {"format": FORMAT, "problem": "each of its runs is trained on a sample of its own (repeat=samples)"}
    try:
        # Of a cross-validation this is what was fitted to all rows, as the network that is kept was.
        return model_contents(prepared.cell, prepared.dataset, prepared.structure.network)
    except Exception as error:
        # The runs are still worth training if their network cannot be kept as a model.
        log.exception("%s can have no model", prepared.cell.name)
        return {"format": FORMAT, "problem": f"it cannot be described ({type(error).__name__}: {error})"}


def _shape(prepared: PreparedCell) -> dict[str, np.ndarray]:
    try:
        n_targets = prepared.data.y["train"].shape[1]
        return loss_shape(prepared.cell.pair, n_targets, prepared.hyperparameters.loss)
    except Exception:
        # A user's own loss may reject the shapes that are used here. The curve is only drawn, so nothing else is lost.
        log.debug("%s has no shape", prepared.cell.name, exc_info=True)
        return {}
