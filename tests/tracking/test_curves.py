"""Curves of runs as MLflow takes them."""

import numpy as np

from lossbench.ground.run_ids import RunId
from lossbench.results.part_files import DIVERGED, FAILED, RunInfo, part_path, read_run, write_part
from lossbench.tracking.curves import run_curves


def run_of(folder, status, arrays):
    write_part(folder, RunInfo(0, "key-0", status, 0.0, 1.0), arrays)
    found = read_run(part_path(folder, RunId(0)))
    assert found is not None
    return found


def test_the_curves_of_a_run_begin_with_its_last_epoch(tmp_path):
    arrays = {"epochs": np.array([1, 2]), "curve/train/loss": np.array([0.5, 0.25])}
    found = run_curves(run_of(tmp_path, DIVERGED, arrays), 7)
    assert [(m.key, m.value, m.timestamp, m.step) for m in found] == [
        ("train/loss", 0.25, 7, 2),
        ("train/loss", 0.5, 7, 1),
    ]


def test_a_failed_run_has_no_curves(tmp_path):
    assert run_curves(run_of(tmp_path, FAILED, {}), 7) == []
