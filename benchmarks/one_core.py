"""The training alone, on one core: lossbench's compiled program against loop.c.

`python benchmarks/one_core.py REPEATS` prints JSON. Both are given the same data, initial weights and batch orders;
what drawing these costs a run of lossbench is measured beside.
"""

import ctypes
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from lossbench.ground.seeds import batch_orders
from lossbench.jobs.prepare import PreparedCell
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan
from lossbench.training.compiled import program_for
from lossbench.training.networks import initial_weights

FLAGS = {"c": ["-O3", "-march=native"], "c_fast_math": ["-O3", "-march=native", "-ffast-math"]}
LOSS_NAMES = {
    "binary_crossentropy": "SIGMOID_CROSSENTROPY",
    "hinge": "TANH_HINGE",
    "squared_hinge": "TANH_SQUARED_HINGE",
    "categorical_crossentropy": "SOFTMAX_CROSSENTROPY",
    "sparse_categorical_crossentropy": "SOFTMAX_CROSSENTROPY",
    "kl_divergence": "SOFTMAX_CROSSENTROPY",
}
# After so few epochs, rounding has not yet decided otherwise whether some unit of some sample is active.
EARLY_EPOCHS = 5


class Peer:
    """A cell's training as the C loop does it."""

    def __init__(self, prepared: PreparedCell, folder: Path):
        structure = prepared.structure
        settings = json.loads(structure.model)
        self.data, self.settings, self.structure = prepared.data, prepared.cell.settings, structure
        self.model = structure.build()
        shapes = {
            "N_FEATURES": structure.n_features,
            "N_HIDDEN": settings["hidden_units"][0],
            "N_OUTPUTS": structure.n_outputs,
            "LOSS": LOSS_NAMES.get(prepared.cell.loss, prepared.cell.loss.upper()),
        }
        self.variants = {name: compile_c(shapes, flags, folder) for name, flags in FLAGS.items()}

    def draw(self, seed: int, epochs: int) -> tuple[list[np.ndarray], np.ndarray]:
        """Return a run's initial weights and its batch orders."""
        orders = np.stack(list(batch_orders(seed, len(self.data.x["train"]), epochs)))
        return initial_weights(self.model, seed, self.structure.rebuild), orders

    def train(
        self, variant: str, weights: list[np.ndarray], orders: np.ndarray
    ) -> tuple["Seconds", np.ndarray, np.ndarray]:
        """Return the seconds of a training, its weights in one row and its curves, a row for each epoch."""
        x, y = self.data.x, self.data.y
        trained, curves = in_one_row(weights), np.zeros((len(orders), 4), np.float32)
        optimizer = self.settings.optimizer
        arguments = [
            *(_pointer(x["train"]), _pointer(y["train"]), len(x["train"])),
            *(_pointer(x["test"]), _pointer(y["test"]), len(x["test"])),
            *(_pointer(orders), len(orders), self.settings.batch_size),
            *(ctypes.c_float(optimizer.learning_rate), ctypes.c_float(optimizer.parameters["momentum"])),
            *(_pointer(trained), _pointer(curves)),
        ]
        seconds, _ = timed(lambda: self.variants[variant].train(*arguments))
        return seconds, trained, curves


class Seconds(NamedTuple):
    """What something took: by the clock, and of the processor."""

    wall: float
    cpu: float


def timed(call: Callable[[], Any]) -> tuple[Seconds, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu), result


def compile_c(shapes: dict[str, object], flags: list[str], folder: Path) -> ctypes.CDLL:
    handle, path = tempfile.mkstemp(".so", dir=folder)
    os.close(handle)
    source = Path(__file__).with_name("loop.c")
    constants = [f"-D{name}={value}" for name, value in shapes.items()]
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, *flags, *constants, "-shared", "-fPIC", str(source), "-o", path, "-lm"], check=True)
    return ctypes.CDLL(path)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def compare(prepared: PreparedCell, folder: Path, repeats: int) -> dict:
    """Train a cell with every seed below ``repeats``, in turn by each program; return medians in milliseconds."""
    peer = Peer(prepared, folder)
    epochs = prepared.hyperparameters.epochs
    ours(prepared, *peer.draw(0, epochs))
    seconds: dict[str, list[Seconds]] = {name: [] for name in ("draw", "ours", *FLAGS)}
    differences: dict[str, list[float]] = {name: [] for name in ("weights", "curves", "early_weights")}
    for seed in range(repeats):
        drawn, (weights, orders) = timed(lambda seed=seed: peer.draw(seed, epochs))
        taken, trained = timed(lambda given=(weights, orders): ours(prepared, *given))
        theirs = {name: peer.train(name, weights, orders) for name in FLAGS}
        for name, value in {"draw": drawn, "ours": taken, **{name: t[0] for name, t in theirs.items()}}.items():
            seconds[name].append(value)
        early, early_theirs = (
            ours(prepared, weights, orders[:EARLY_EPOCHS]),
            peer.train("c", weights, orders[:EARLY_EPOCHS]),
        )
        differences["weights"].append(furthest(theirs["c"][1], in_one_row(trained.weights)))
        differences["curves"].append(furthest(theirs["c"][2], np.stack(list(trained.curves.values()), axis=1)))
        differences["early_weights"].append(furthest(early_theirs[1], in_one_row(early.weights)))
    return {
        "cell": prepared.cell.name,
        "milliseconds": {name: 1e3 * median(s.wall for s in values) for name, values in seconds.items()},
        "cpu_milliseconds": {name: 1e3 * median(s.cpu for s in values) for name, values in seconds.items()},
        "difference": {name: {"median": median(v), "max": max(v)} for name, v in differences.items()},
    }


def ours(prepared: PreparedCell, weights: list[np.ndarray], orders: np.ndarray) -> Any:
    hyperparameters = dataclasses.replace(prepared.hyperparameters, epochs=len(orders))
    return program_for(prepared.structure).train_from(weights, iter(orders), prepared.data, hyperparameters)


def in_one_row(weights: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([w.ravel() for w in weights])


def furthest(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.max(np.abs(a - b)))


def main() -> None:
    repeats = int(sys.argv[1])
    plan = make_plan(read_overrides(["experiment=tutorial"], multirun=False), "one_core.py")
    with tempfile.TemporaryDirectory() as folder:
        cells = [compare(PreparedCell(cell), Path(folder), repeats) for cell in plan.cells]
    print(json.dumps({"repeats": repeats, "early_epochs": EARLY_EPOCHS, "cells": cells}))


if __name__ == "__main__":
    main()
