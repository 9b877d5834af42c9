"""Runs on disk: what is written is read, whatever kind of run it is, and anything else is no run."""

import fcntl
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lossbench.ground.files import NO_LINKS, remove_unfinished, replace_file
from lossbench.ground.machine import host_name
from lossbench.ground.run_ids import RunId
from lossbench.results.part_files import (
    DIVERGED,
    FAILED,
    FINISHED,
    RunInfo,
    part_path,
    read_run,
    read_runs,
    runs_on_disk,
    write_part,
)

EPOCHS = np.arange(1, 4)
CURVES = {"epochs": EPOCHS, "curve/train/loss": EPOCHS / 2, "curve/test/loss": EPOCHS / 4}
WEIGHTS = {"weight/0": np.ones((2, 3), np.float32), "weight/1": np.zeros(3, np.float32)}
RAW = {"raw/test": np.array([[0.5], [-1.5]], np.float32), "grid/raw": np.zeros((4, 1), np.float32)}
SCORES = {"train/accuracy": 0.9, "test/accuracy": 0.85}


def info(seed=0, status=FINISHED, **more) -> RunInfo:
    return RunInfo(seed, f"key-{seed}", status, 1700000000.0, 1700000002.5, **more)


KINDS = {
    "finished": (info(scores=SCORES, naive={"test/accuracy": 0.5}), {**CURVES, **WEIGHTS, **RAW}),
    "stuck": (info(1, stuck=True, scores={"test/accuracy": 0.5}), {**CURVES, **WEIGHTS, **RAW}),
    "diverged": (info(2, DIVERGED, diverged_epoch=2), {**CURVES, "curve/test/loss": np.array([1.0, np.nan, np.inf])}),
    "failed": (info(3, FAILED, error="ValueError: x\nat line 3"), {}),
    "selected": (info(4, selected_epoch=2, scores=SCORES), {**CURVES, **WEIGHTS}),
    "of a fold": (
        info(6, repetition=1, fold=0, target_scaling={"center": [1.0], "scale": [2.0]}),
        {**CURVES, **RAW, "test/rows": np.array([3, 0])},
    ),
    "tuned": (info(5, tuned={"optimizer.learning_rate": 0.1, "model.activation": "tanh"}, study="s/1"), CURVES),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_what_is_written_is_read(kind, tmp_path):
    written, arrays = KINDS[kind]
    write_part(tmp_path / "cell", written, arrays)
    run = read_run(part_path(tmp_path / "cell", written.id))
    assert run.info == written
    assert set(run.arrays) == set(arrays)
    for name, array in arrays.items():
        assert run.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(run.arrays[name], array)
    assert set(run.curves) == {name.removeprefix("curve/") for name in arrays if name.startswith("curve/")}


@each_kind
def test_a_torn_file_is_no_run(kind, tmp_path):
    written, arrays = KINDS[kind]
    write_part(tmp_path, written, arrays)
    path = part_path(tmp_path, written.id)
    whole = path.read_bytes()
    for n_bytes in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        assert read_run(path) is None
    assert read_runs(tmp_path, [written.id]) == {}


@pytest.mark.parametrize(
    ("kind", "works"), [("finished", True), ("stuck", False), ("diverged", False), ("failed", False)]
)
def test_only_finished_runs_that_are_not_stuck_work(kind, works):
    assert KINDS[kind][0].works is works


def test_what_is_not_said_of_a_run_is_nothing():
    plain = info()
    assert (plain.stuck, plain.diverged_epoch, plain.selected_epoch, plain.error, plain.study) == (False, 0, 0, "", "")
    assert plain.scores == plain.naive == plain.tuned == {}


def test_a_run_that_is_recorded_stays_and_the_second_one_is_thrown_away(tmp_path):
    assert write_part(tmp_path, info(scores=SCORES), CURVES)
    before = part_path(tmp_path, RunId(0)).read_bytes()
    assert not write_part(tmp_path, info(status=FAILED, error="x"), {})
    assert part_path(tmp_path, RunId(0)).read_bytes() == before
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["seed=0.npz"]


def test_of_many_that_record_one_run_at_once_one_does(tmp_path):
    started = [float(i) for i in range(16)]
    with ThreadPoolExecutor(len(started)) as pool:
        won = list(pool.map(lambda moment: write_part(tmp_path, replace(info(), started=moment), CURVES), started))
    (winner,) = [moment for moment, is_its in zip(started, won, strict=True) if is_its]
    assert read_run(part_path(tmp_path, RunId(0))).info.started == winner
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["seed=0.npz"]


@pytest.mark.parametrize("number", NO_LINKS)
def test_a_file_system_without_links_takes_runs_too(tmp_path, monkeypatch, number):
    def no_link(_source, _target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", no_link)
    assert write_part(tmp_path, info(scores=SCORES), CURVES)
    assert not write_part(tmp_path, info(), CURVES)
    assert read_run(part_path(tmp_path, RunId(0))).info.scores == SCORES
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["seed=0.npz"]


def test_what_cannot_be_written_leaves_the_earlier_run(tmp_path):
    write_part(tmp_path, info(scores=SCORES), CURVES)
    with pytest.raises(TypeError):
        write_part(tmp_path, info(scores={"test/accuracy": object()}), {})
    assert read_run(part_path(tmp_path, RunId(0))).info.scores == SCORES
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["seed=0.npz"]


def test_arrays_are_read_when_asked_for_and_let_go(tmp_path):
    write_part(tmp_path, info(), CURVES)
    run = read_run(part_path(tmp_path, RunId(0)))
    first = run.arrays
    assert run.arrays is first
    run.forget()
    # Forgetting twice does no harm.
    run.forget()
    assert run.arrays is not first


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({}, id="no info"),
        pytest.param({"info": np.array("no json")}, id="no JSON"),
        pytest.param({"info": np.array(json.dumps({"seed": 0}))}, id="not all of it"),
        pytest.param({"info": np.array(json.dumps({"later": 1, "seed": 0}))}, id="more than is known"),
        pytest.param({"info": np.array([object()], dtype=object)}, id="a pickle"),
    ],
)
def test_another_file_of_numpys_is_no_run(content, tmp_path):
    path = part_path(tmp_path, RunId(0))
    path.parent.mkdir()
    np.savez(path, **content)
    assert read_run(path) is None


def test_runs_are_in_the_order_asked_for(tmp_path):
    for seed in (1, 10, 2):
        write_part(tmp_path, info(seed), {})
    runs = read_runs(tmp_path, [RunId(10), RunId(3), RunId(1)])
    assert [(each, run.info.seed) for each, run in runs.items()] == [(RunId(10), 10), (RunId(1), 1)]


def test_the_runs_on_disk_are_in_order(tmp_path):
    assert runs_on_disk(tmp_path) == []
    for seed in (10, 2, 1):
        write_part(tmp_path, info(seed), {})
    (tmp_path / "parts" / "seed=x.npz").write_text("")
    (tmp_path / "parts" / "seed=5.json").write_text("")
    write_part(tmp_path, info(1, repetition=1, fold=0), {})
    write_part(tmp_path, info(0, repetition=0, fold=10), {})
    write_part(tmp_path, info(3, repetition=0, fold=2), {})
    folds = [RunId(3, 0, 2), RunId(0, 0, 10), RunId(1, 1, 0)]
    assert runs_on_disk(tmp_path) == [RunId(1), RunId(2), RunId(10), *folds]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    write_part(tmp_path, info(), {})
    (tmp_path / "study").mkdir()
    kept = ["cell.json", "data.npz", "study/trial=0.json", "parts/seed=0.npz"]
    left = [".cell.json.x1_abcde", ".data.npz.y2_abcde", "parts/.seed=1.npz.z3_abcde", "study/.trial=1.json.a4_abcde"]
    kept += [".lock", ".tracking-lock", ".hydra/config.yaml", ".held.npz.b5_abcde"]
    (tmp_path / ".hydra").mkdir()
    for name in [*(name for name in kept if "seed=0" not in name), *left]:
        (tmp_path / name).write_text("")
    with (tmp_path / kept[-1]).open("rb") as file:
        # Another process is writing it.
        fcntl.flock(file, fcntl.LOCK_EX)
        remove_unfinished(tmp_path)
    there = [os.path.relpath(Path(folder, file), tmp_path) for folder, _, files in os.walk(tmp_path) for file in files]
    assert sorted(there) == sorted(kept)
    remove_unfinished(tmp_path / "nothere")


def test_what_another_machine_is_writing_stays_until_it_is_known_to_have_ended(tmp_path):
    far, here = tmp_path / ".plan.json.far-away.12.x1_abcde", tmp_path / f".plan.json.{host_name()}.12.x1_abcde"
    for path in (far, here):
        path.touch()
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [far.name]
    asked = []
    remove_unfinished(tmp_path, lambda host: bool(asked.append(host)))
    assert (list(tmp_path.iterdir()), asked) == ([], ["far-away"])


def test_a_file_that_is_being_written_is_named_after_who_writes_it(tmp_path):
    replace_file(tmp_path / "plan.json", lambda file: file.write(",".join(os.listdir(tmp_path)).encode()))
    (name,) = (tmp_path / "plan.json").read_text().split(",")
    assert re.fullmatch(rf"\.plan\.json\.{host_name()}\.{os.getpid()}\..{{8}}", name)
