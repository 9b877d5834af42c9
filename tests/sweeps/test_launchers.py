"""A sweep whose cells are jobs of other processes: the table is the basic launcher's, also after a kill."""

import os
import shutil
import signal

import pytest
from support.commands import run
from support.processes import PARTS, processes_of, start, wait_for, wait_for_files
from support.sweeps import Sweep, table

# Two cells at once on any machine.
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
SUBMITIT = ["hydra/launcher=submitit_local"]
# Our own, which submits groups of cells; submitit runs its jobs here.
OURS = ["hydra/launcher=slurm", "hydra.launcher.cluster=local", "hydra.launcher.cells_per_job=2"]
LAUNCHERS = [
    pytest.param(JOBLIB, id="joblib", marks=pytest.mark.slow),
    pytest.param(SUBMITIT, id="submitit_local"),
    pytest.param(OURS, id="slurm on this machine"),
]
CELLS = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=300", "seeds=120", "name=two"]
QUIET = ["tracking.enabled=false", "report.yardsticks=false"]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_table_is_that_of_the_basic_launcher(tmp_path, smoke: Sweep, launcher):
    folder = tmp_path / "multirun" / "smoke"
    shutil.copytree(smoke.folder, folder)
    (folder / "results.csv").unlink()
    # A job for each of these cells; the basic launcher's runs of the others are there.
    for cell in folder.glob("circles-*"):
        shutil.rmtree(cell)
    done = run(tmp_path, "experiment=smoke", "tracking.enabled=false", *launcher)
    assert done.status == 0, done.out + done.err
    assert "smoke: 4 cells, 12 runs, 6 finished; 6 to run" in done.out
    assert table(tmp_path, "smoke") == table(smoke.home, "smoke")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_jobs_end_with_the_process_that_launched_them_and_the_same_command_continues(tmp_path, launcher, sent):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    process = start(cut, *CELLS, *QUIET, *launcher)
    wait_for_files(cut, PARTS, 3)
    # It alone, not its children: what a user's `kill`, or a system out of memory, does.
    os.kill(process.pid, sent)
    process.wait(timeout=60)
    wait_for(lambda: not processes_of(cut), 10)
    process.communicate()
    n_there = len(list(cut.glob(PARTS)))
    assert 3 <= n_there < 240
    again = run(cut, *CELLS, *QUIET, *launcher)
    assert again.status == 0, again.out + again.err
    assert f"two: 2 cells, 240 runs, {n_there} finished; {240 - n_there} to run" in again.out
    assert not processes_of(cut)
    assert run(whole, *CELLS, *QUIET).status == 0
    assert table(cut, "two") == table(whole, "two")
