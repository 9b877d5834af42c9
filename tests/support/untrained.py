"""A sweep on disk that was never trained: its plan and the part files of its runs."""

from dataclasses import replace

import numpy as np

from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Cell, Plan
from lossbench.results.part_files import FINISHED, Run, RunInfo, part_path, read_run, write_part
from support.results import cell, cell_results, sweep

EPOCHS = 6


def untrained_sweep(n_seeds: int) -> Plan:
    """Return the plan of a sweep of two cells; what it writes lies below ``home()``."""
    cells = [
        replace(cell(loss, head=head), key=10 * digits)
        for loss, head, digits in (("binary_crossentropy", "sigmoid", "0a1b2c3d"), ("hinge", "tanh", "4e5f6a7b"))
    ]
    return sweep(*(cell_results(own, []) for own in cells), n_seeds=n_seeds)


def write_run(plan: Plan, own: Cell, seed: int, *, started: float = 1000.0) -> tuple[Cell, Run]:
    """Write the part file of a run, in place of an earlier one, and return the run as it is read from there."""
    key, folder = f"{own.key[:16]}-{seed}", plan.folder / own.folder
    scores = {"test/accuracy": 0.5 + seed / 100, "train/accuracy": 0.6}
    info = RunInfo(seed, key, FINISHED, started + seed, started + seed + 0.5, scores=scores, naive=scores)
    curve = np.linspace(1.0, 0.1 * seed, EPOCHS)
    arrays = {f"curve/{split}/{name}": curve for split in ("train", "test") for name in ("loss", "accuracy")}
    part_path(folder, RunId(seed)).unlink(missing_ok=True)
    write_part(folder, info, {"epochs": np.arange(1, EPOCHS + 1)} | arrays)
    found = read_run(part_path(folder, RunId(seed)))
    assert found is not None
    return own, found


def write_runs(plan: Plan, *, started: float = 1000.0) -> list[tuple[Cell, Run]]:
    """Write every run of a plan, and return them."""
    return [write_run(plan, own, seed, started=started) for own in plan.cells for seed in plan.seeds["seeds"]]
