"""What a terminal says while a sweep runs, and at its end, of the time."""

import os
import pty
import re
import subprocess

import pytest
from support.commands import BIN, environment
from support.plans import plan
from support.sweeps import Sweep

from lossbench.console.counts import Count, progress_text
from lossbench.console.durations import COMPILING, PARTS, TRAINING, Durations, duration
from lossbench.console.measured import Measured
from lossbench.console.stages import n_trials, stage_of_runs, stage_of_trials
from lossbench.planning.plan import read_plan
from lossbench.results.part_files import read_runs


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (8.32, "8.3 s"),
        (99.96, "1 min 40 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (9000, "2 h 30 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("counts", "left", "said"),
    [
        ({"runs": Count(0, 30)}, None, "runs 0/30"),
        ({"trials": Count(0, 0), "runs": Count(12, 30)}, 4.4, "runs 12/30, about 4 s left"),
        ({"runs": Count(29, 30)}, 0.0, "runs 29/30, about 1 s left"),
        (
            {"trials": Count(3, 102), "runs": Count(0, 90), "folds": Count(0, 30), "yardsticks": Count(0, 20)},
            83.0,
            "trials 3/102, runs 0/90, folds 0/30, yardsticks 0/20, about 80 s left",
        ),
        ({"runs": Count(1, 9)}, 32.0, "runs 1/9, about 30 s left"),
        ({"runs": Count(1, 9)}, 2_000.0, "runs 1/9, about 33 min left"),
        ({"runs": Count(1, 9)}, 40_000.0, "runs 1/9, about 11 h 10 min left"),
    ],
)
def test_trials_folds_and_runs_are_counted_apart(counts, left, said):
    assert progress_text(counts, left) == said


def test_a_line_says_how_long_each_part_took():
    took = Durations()
    took.add(dict.fromkeys(PARTS, 100.0))
    # Nothing was trained: the sweep was finished already.
    assert took.lines() == []
    took.note_trained({COMPILING: 1.26, TRAINING: 0.02})
    text = " ".join(took.lines())
    assert re.match(r"took [\d.]+ \w+.*: planning 1 min 40 s,", text)
    assert "compiling 1 min 41 s" in text
    assert max(map(len, took.lines())) <= 80


def test_a_finished_sweep_says_how_long_it_took(smoke: Sweep):
    lines = smoke.done.out.splitlines()
    place = next(place for place, line in enumerate(lines) if line.startswith("took "))
    said = " ".join(line.strip() for line in lines[place:-3])
    assert re.match(r"took [\d.]+ s: planning [\d.]+ s, (starting [\d.]+ s, )?compiling ", said)
    assert all(f", {part} " in said for part in ("training", "report", "tracking"))
    total, *parts = (float(number) for number in re.findall(r"([\d.]+) s", said))
    # Between the parts a little passes that is none of them.
    assert 0.7 * total < sum(parts) <= total + 0.5


def test_runs_of_a_sweep_are_measured(smoke: Sweep):
    read = read_plan(smoke.folder)
    runs = {cell.folder: read.runs(cell) for cell in read.cells}
    infos = [
        [run.info for run in read_runs(smoke.folder / cell.folder, runs[cell.folder]).values()] for cell in read.cells
    ]
    measured = Measured(read, runs, [], [], {})
    waiting = {folder: set(ids) for folder, ids in runs.items()}
    assert measured.left() is None
    assert measured.counts(waiting) == {
        "trials": Count(0, 0),
        "runs": Count(0, 12),
        "folds": Count(0, 0),
        "yardsticks": Count(0, 0),
    }
    measured._began = min(info.started for found in infos for info in found) - 1.0
    for cell, found in zip(read.cells, infos, strict=True):
        for info in found:
            measured.note_run(cell, info)
            waiting[cell.folder].discard(info.id)
    assert measured.counts(waiting)["runs"] == Count(12, 12)
    assert measured.left() == 0.0
    spans = [max(i.ended for i in found) - min(i.started for i in found) for found in infos]
    assert measured.seconds()[TRAINING] == pytest.approx(sum(spans))


def test_a_program_is_counted_once_for_losses_that_share_it_and_a_study_has_its_own():
    losses = "loss=categorical_crossentropy,sparse_categorical_crossentropy,categorical_hinge"
    first, same, other = (stage_of_runs(cell, 30) for cell in plan("-m", "dataset=blobs", losses, "epochs=7").cells)
    assert first.programs == same.programs != other.programs
    assert first.group == same.group == other.group
    (cell,) = plan("dataset=diabetes", "loss=mse", "tune=learning_rate", "repeat.repetitions=3").cells
    trials, runs = stage_of_trials(cell, n_trials(cell)), stage_of_runs(cell, 45)
    assert trials.n_left == 3 * cell.settings.study.trials
    # Ten pairs of five folds, each with three quarters of a run's rows.
    assert trials.size == pytest.approx(7.5 * runs.size)
    # 442 rows make folds of two sizes.
    assert len(runs.programs) == 2
    assert not set(trials.programs) & set(runs.programs)


@pytest.mark.slow
def test_a_terminal_shows_counts_and_the_time_left(tmp_path):
    ours, theirs = pty.openpty()
    command = [BIN / "lossbench", "-m", "dataset=diabetes", "loss=mse,mae", "seeds=1", "epochs=20"]
    more = ["tune=learning_rate", "tune.trials=3", "tracking.enabled=false", "name=x"]
    env = environment(tmp_path, TERM="xterm")
    process = subprocess.Popen([*command, *more], cwd=tmp_path, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            found = os.read(ours, 65536)
        except OSError:
            break
        said += found
        if not found:
            break
    os.close(ours)
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    shown = re.findall(r"trials (\d+)/12, runs (\d+)/20, folds (\d+)/20, yardsticks \d+/20, about [^\n\r]+ left", text)
    assert shown
    # The study comes first, and one run is trained in each fold.
    assert all(runs == folds for _, runs, folds in shown)
    assert [int(trials) for trials, *_ in shown] == sorted(int(trials) for trials, *_ in shown)
    assert re.search(r"took [^:]+: .*tuning [\d.]+ s", " ".join(text.split()))
