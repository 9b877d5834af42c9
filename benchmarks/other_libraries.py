"""The training alone, on one core: lossbench's compiled program against scikit-learn's networks and loops in PyTorch.

`python benchmarks/other_libraries.py REPEATS` prints JSON. All train the same networks on the same data with the same
optimizer and batches of 32, and evaluate loss and metric on both splits after every epoch. PyTorch is given the
initial weights and batch orders of ours too, so its weights can be compared; scikit-learn draws its own.

PyTorch is measured twice: a loop for one run, and ``torch.func.vmap`` over the seeds, which trains all in one loop.
"""

import json
import sys
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from one_core import Seconds, furthest, in_one_row, ours, timed
from sklearn.neural_network import MLPClassifier, MLPRegressor

from lossbench.ground.seeds import batch_orders
from lossbench.jobs.prepare import PreparedCell
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan
from lossbench.training.networks import initial_weights

# The tutorial's cells whose losses scikit-learn has; one of each data set.
LOSSES = {"regression": "mean_squared_error", "circles": "binary_crossentropy", "blobs": "categorical_crossentropy"}
# So many seeds are trained at once with vmap.
N_STACKED = 30
EARLY_EPOCHS = 5


class ScikitLearn:
    """A cell's training with ``partial_fit``, an epoch a call."""

    def __init__(self, prepared: PreparedCell):
        self.x, self.y = prepared.data.x, {name: target.ravel() for name, target in prepared.data.target.items()}
        self.settings = prepared.cell.settings
        self.kind = MLPRegressor if prepared.cell.task == "regression" else MLPClassifier

    def train(self, seed: int) -> list[list[float]]:
        """Train a run; return its curve of the metric, a row for each epoch."""
        optimizer = self.settings.optimizer
        network = self.kind(
            hidden_layer_sizes=tuple(self.settings.model.hidden_units),
            solver="sgd",
            alpha=0.0,
            batch_size=self.settings.batch_size,
            learning_rate_init=optimizer.learning_rate,
            momentum=optimizer.parameters["momentum"],
            nesterovs_momentum=False,
            random_state=seed,
        )
        classes = {} if self.kind is MLPRegressor else {"classes": np.unique(self.y["train"])}
        curve = []
        for _ in range(self.settings.epochs):
            network.partial_fit(self.x["train"], self.y["train"], **classes)
            curve.append([network.score(self.x[name], self.y[name]) for name in ("train", "test")])
        return curve


class Torch:
    """A cell's training in PyTorch: for one run, or for a stack of seeds at once."""

    def __init__(self, prepared: PreparedCell):
        import torch

        torch.set_num_threads(1)
        self.torch, self.settings, self.task = torch, prepared.cell.settings, prepared.cell.task
        self.x = {name: torch.from_numpy(x) for name, x in prepared.data.x.items()}
        self.y = {name: torch.from_numpy(y) for name, y in prepared.data.y.items()}
        optimizer = self.settings.optimizer
        self.rate, self.momentum = optimizer.learning_rate, optimizer.parameters["momentum"]

    def loss(self, weights, x, y):
        """Return the mean loss and the metric of a batch."""
        first, first_bias, last, last_bias = weights
        raw = self.torch.relu(x @ first + first_bias) @ last + last_bias
        functional = self.torch.nn.functional
        if self.task == "regression":
            error = functional.mse_loss(raw, y)
            return error, error.detach()
        if self.task == "binary":
            return functional.binary_cross_entropy_with_logits(raw, y), ((raw > 0) == (y > 0.5)).float().mean()
        loss = -(y * self.torch.log_softmax(raw, -1)).sum(-1).mean()
        return loss, (raw.argmax(-1) == y.argmax(-1)).float().mean()

    def train(self, weights: list[np.ndarray], orders: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the weights of one run after all epochs, and its curves, a row for each epoch."""
        torch = self.torch
        parameters = [torch.tensor(w, requires_grad=True) for w in weights]
        optimizer = torch.optim.SGD(parameters, self.rate, self.momentum)
        curves = []
        for order in torch.from_numpy(orders).long():
            x, y = self.x["train"][order], self.y["train"][order]
            for batch in range(0, len(x), self.settings.batch_size):
                part = slice(batch, batch + self.settings.batch_size)
                optimizer.zero_grad()
                self.loss(parameters, x[part], y[part])[0].backward()
                optimizer.step()
            with torch.no_grad():
                curves.append([float(v) for name in self.x for v in self.loss(parameters, self.x[name], self.y[name])])
        return [p.detach().numpy() for p in parameters], np.array(curves)

    def train_stack(self, weights: list[list[np.ndarray]], orders: np.ndarray) -> list[np.ndarray]:
        """Return the weights of a stack of runs; ``orders`` has a row of epochs for each of them."""
        torch, func = self.torch, self.torch.func
        parameters = tuple(torch.from_numpy(np.stack(own)) for own in zip(*weights, strict=True))
        velocity = tuple(torch.zeros_like(p) for p in parameters)
        gradients = func.vmap(func.grad(lambda w, x, y: self.loss(w, x, y)[0]))
        evaluate = func.vmap(self.loss, in_dims=(0, None, None))
        curves = []
        with torch.no_grad():
            for epoch in torch.from_numpy(orders).long().transpose(0, 1):
                x, y = self.x["train"][epoch], self.y["train"][epoch]
                for batch in range(0, x.shape[1], self.settings.batch_size):
                    part = slice(batch, batch + self.settings.batch_size)
                    found = gradients(parameters, x[:, part], y[:, part])
                    velocity = tuple(self.momentum * v + g for v, g in zip(velocity, found, strict=True))
                    parameters = tuple(p - self.rate * v for p, v in zip(parameters, velocity, strict=True))
                curves.append([v for name in self.x for v in evaluate(parameters, self.x[name], self.y[name])])
        return [p.numpy() for p in parameters]


def compare(prepared: PreparedCell, repeats: int, *, has_torch: bool) -> dict[str, Any]:
    """Train a cell by each library in turn, with every seed below ``repeats``; return medians, in milliseconds."""
    model, structure = prepared.structure.build(), prepared.structure
    epochs, n_train = prepared.hyperparameters.epochs, len(prepared.data.x["train"])

    def draw(seed: int) -> tuple[list[np.ndarray], np.ndarray]:
        return initial_weights(model, seed, structure.rebuild), np.stack(list(batch_orders(seed, n_train, epochs)))

    ours(prepared, *draw(0))
    calls: dict[str, Callable[[int], Any]] = {"ours": lambda seed: ours(prepared, *draw(seed))}
    theirs = ScikitLearn(prepared)
    calls["scikit_learn"] = theirs.train
    difference = None
    if has_torch:
        torch = Torch(prepared)
        calls["torch"] = lambda seed: torch.train(*draw(seed))
        weights, orders = draw(0)
        early = torch.train(weights, orders[:EARLY_EPOCHS])[0]
        difference = furthest(in_one_row(early), in_one_row(ours(prepared, weights, orders[:EARLY_EPOCHS]).weights))
    seconds: dict[str, list[Seconds]] = {name: [] for name in calls}
    for seed in range(repeats):
        for name, call in calls.items():
            seconds[name].append(timed(lambda call=call, seed=seed: call(seed))[0])
    found = {name: 1e3 * median(each.cpu for each in values) for name, values in seconds.items()}
    if has_torch:
        drawn = [draw(seed) for seed in range(N_STACKED)]
        stack = [weights for weights, _ in drawn], np.stack([orders for _, orders in drawn])
        found["torch_vmap"] = 1e3 * timed(lambda: torch.train_stack(*stack))[0].cpu / N_STACKED
    return {"cell": prepared.cell.name, "cpu_milliseconds": found, "early_weights": difference}


def main() -> None:
    repeats = int(sys.argv[1])
    warnings.filterwarnings("ignore", module="sklearn")
    try:
        import torch

        version = torch.__version__
    except ImportError:
        version = None
    plan = make_plan(read_overrides(["experiment=tutorial"], multirun=False), "other_libraries.py")
    chosen = [cell for cell in plan.cells if LOSSES[cell.dataset] == cell.loss]
    cells = [compare(PreparedCell(cell), repeats, has_torch=version is not None) for cell in chosen]
    print(json.dumps({"repeats": repeats, "torch": version, "stacked": N_STACKED, "cells": cells}))


if __name__ == "__main__":
    main()
