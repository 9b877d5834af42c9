"""Files of a sweep that were cut off, emptied or overwritten: an error names them, and the same command mends them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commands import run
from support.sweeps import Sweep

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "wrong-type": lambda data: b"[1, 2]",
    "other-object": lambda data: b'{"name": 3}',
    "no-text": lambda data: b"\xff\xfe\x00 damaged",
}


@pytest.fixture
def damaged(smoke: Sweep, tmp_path) -> Path:
    """A copy of a finished sweep's folder ``multirun/smoke``."""
    shutil.copytree(smoke.home, tmp_path, dirs_exist_ok=True)
    return tmp_path / "multirun" / "smoke"


def damage(path: Path, how: str) -> None:
    path.write_bytes(DAMAGES[how](path.read_bytes()))


def cell_of(folder: Path, name: str = "circles-hinge") -> Path:
    return next(folder.glob(f"{name}*"))


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_plan_is_an_error_with_the_command_that_makes_it_again(damaged, tmp_path, how):
    damage(damaged / "plan.json", how)
    done = run(tmp_path, "smoke", command="lossbench-report")
    assert (done.status, done.out) == (3, "")
    first, second = done.err.splitlines()
    assert first.startswith(f"error: {damaged / 'plan.json'} is damaged: ")
    assert second.endswith(": lossbench experiment=smoke")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("lossbench-report", "smoke"), id="report"),
        pytest.param(("lossbench-report", "smoke", "smoke"), id="compare"),
        pytest.param(("lossbench-export", "keras", "smoke", "circles/hinge"), id="export"),
    ],
)
def test_every_damaged_file_of_cells_is_named(damaged, tmp_path, words):
    cells = sorted(path for path in damaged.iterdir() if (path / "cell.json").exists())
    files = [cells[0] / "cell.json", cells[1] / "cell.json", cells[2] / "data.npz", cells[3] / "model.json"]
    for path, how in zip(files, ("empty", "other-object", "cut", "zeros"), strict=True):
        damage(path, how)
    command, *arguments = words
    done = run(tmp_path, *arguments, command=command)
    assert (done.status, done.out) == (3, "")
    named = {line.split(" is damaged")[0] for line in done.err.splitlines()[::2]}
    assert named == {f"error: {path}" for path in files}
    assert all(line.endswith(": lossbench experiment=smoke") for line in done.err.splitlines()[1::2])


def test_the_same_command_mends_a_damaged_sweep_and_trains_nothing(damaged, tmp_path):
    before = (damaged / "results.csv").read_bytes()
    parts = {path: path.stat().st_mtime_ns for path in damaged.glob("*/parts/*")}
    cell = cell_of(damaged)
    whole = json.loads((cell / "cell.json").read_text(encoding="utf-8"))
    damage(cell / "cell.json", "cut")
    damage(cell / "data.npz", "no-text")
    for name, how in (("plan.json", "zeros"), ("tracked.json", "no-text"), ("report.json", "no-text")):
        damage(damaged / name, how)
    for name in ("results.csv", "report.md"):
        damage(damaged / name, "no-text")
    done = run(tmp_path, "experiment=smoke")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[:3] == [
        "plan.json was damaged: written again",
        f"{cell.name}: cell.json, data.npz were damaged: written again",
        "smoke: 4 cells, 12 runs, 12 finished; nothing to run",
    ]
    assert json.loads((cell / "cell.json").read_text(encoding="utf-8")) == whole
    assert (damaged / "results.csv").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in damaged.glob("*/parts/*")} == parts
    assert run(tmp_path, "smoke", command="lossbench-report").status == 0


def test_a_folder_in_the_place_of_the_plan_is_set_aside(damaged, tmp_path):
    (damaged / "plan.json").unlink()
    (damaged / "plan.json").mkdir()
    assert "Is a directory" in run(tmp_path, "smoke", command="lossbench-report").err
    done = run(tmp_path, "experiment=smoke")
    assert done.status == 0
    assert done.out.startswith("plan.json was damaged: written again; what was there is now plan.json.damaged-1\n")


def test_a_damaged_sweep_does_not_hold_up_the_others(damaged, tmp_path):
    damage(damaged / "plan.json", "cut")
    other = tmp_path / "multirun" / "other"
    shutil.copytree(damaged, other)
    synced = run(tmp_path, command="lossbench-sync")
    assert synced.status == 3
    assert [line for line in synced.out.splitlines() if line.endswith("cannot be sent")] == [
        "other: cannot be sent",
        "smoke: cannot be sent",
    ]


def test_a_damaged_part_is_named_with_what_trains_it_again(damaged, tmp_path):
    part = cell_of(damaged) / "parts" / "seed=1.npz"
    data = bytearray(part.read_bytes())
    # In the middle of the arrays: the file still lists its members and its scalar results.
    middle = slice(len(data) // 2, len(data) // 2 + 2000)
    data[middle] = bytes(2000)
    part.write_bytes(data)
    done = run(tmp_path, "smoke", command="lossbench-report")
    assert done.status == 3
    assert f"error: {part} is damaged: it cannot be read (BadZipFile).\n  hint: delete it: " in done.err
    part.unlink()
    assert "1 to run" in run(tmp_path, "experiment=smoke", "plan=true").out


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_preset_is_an_error_with_the_command_that_makes_it_again(tmp_path, how):
    path = tmp_path / "conf" / "tuned" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("cells:\n- {dataset: circles, head: tanh, loss: hinge, where: {}, values: 3}\n", encoding="utf-8")
    if how != "cut":
        damage(path, how)
    swept = run(tmp_path, "dataset=circles", "loss=hinge", "tuned=mine", "plan=true")
    listed = run(tmp_path, "tuned", "mine", command="lossbench-list")
    for done in (swept, listed):
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("error: tuned=mine ")
        assert f"lossbench-export tuned mine writes {path} again." in done.err
