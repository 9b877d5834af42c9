"""Cells as jobs of a cluster: left alone and found again, stopped at a time limit, and what cannot be."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from hydra import compose
from support.commands import BIN, environment, run
from support.processes import PARTS, processes_of, start, wait_for_files
from support.sweeps import table

from lossbench.console.cluster_jobs import jobs_line, lost_lines
from lossbench.ground.errors import UsageError
from lossbench.jobs.cluster.job_list import ClusterJob, read_jobs
from lossbench.jobs.cluster.shares import OpenCell, Share, Taken, in_groups
from lossbench.jobs.cluster.submission import Settings
from lossbench.planning.composition import check_launcher, hydra_started

# Submitit's local executor runs the same jobs as processes of this machine.
LOCAL = ["hydra/launcher=slurm", "hydra.launcher.cluster=local", "hydra.launcher.cores=1"]
DETACHED = [*LOCAL, "hydra.launcher.detach=true"]
CELLS = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=300", "seeds=120", "name=two"]
QUIET = ["tracking.enabled=false", "report.yardsticks=false"]


def job_files(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("multirun/*/.submitit/*_submitted.pkl"))


@pytest.fixture
def detached(tmp_path):
    """Two cells, each in a job that goes on after the command has ended."""
    # Jobs of this machine inherit the command's output, so nobody may wait for its end.
    with (tmp_path / "said.txt").open("w") as said:
        arguments = [BIN / "lossbench", *CELLS, *QUIET, *DETACHED, "hydra.launcher.cells_per_job=1"]
        own = {"env": environment(tmp_path), "cwd": tmp_path, "stdout": said, "stderr": said}
        subprocess.run(arguments, check=True, start_new_session=True, **own)
    said = (tmp_path / "said.txt").read_text()
    assert "0 of 240 runs are finished; 2 jobs at work, 0 waiting." in said
    yield tmp_path
    for process in processes_of(tmp_path):
        os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return a folder with the sweep of one process."""
    home = tmp_path_factory.mktemp("whole")
    assert run(home, *CELLS, *QUIET).status == 0
    return home


@pytest.mark.slow
def test_jobs_that_were_left_are_found_shown_and_collected_and_nothing_is_trained_twice(detached, whole):
    wait_for_files(detached, PARTS, 3)
    for process in processes_of(detached):
        os.kill(process, signal.SIGSTOP)
    files, listed = job_files(detached), (detached / "multirun" / "two" / "jobs.json").read_text()
    shown = run(detached, *CELLS, *QUIET, *DETACHED)
    assert shown.status == 0
    assert "at work since an earlier start: 2 jobs at work, 0 waiting" in shown.out
    refused = run(detached, *CELLS, *QUIET, *LOCAL, "rerun=all")
    assert refused.status == 2
    assert "rerun=all cannot be while jobs of two are at work" in refused.err
    kept = run(detached, "two", "--yes", command="lossbench-remove")
    assert (kept.status, "jobs of a cluster are at work on two" in kept.err) == (3, True)
    for process in processes_of(detached):
        os.kill(process, signal.SIGCONT)
    collected = run(detached, *CELLS, *QUIET, *LOCAL)
    assert collected.status == 0, collected.out + collected.err
    assert job_files(detached) == files
    assert (detached / "multirun" / "two" / "jobs.json").read_text() == listed
    assert table(detached, "two") == table(whole, "two")


@pytest.mark.slow
def test_a_job_at_its_time_limit_begins_anew_and_goes_on(detached):
    wait_for_files(detached, PARTS, 3)
    # What Slurm sends before a job's time is up.
    for process in processes_of(detached, b"submitit.core._submit"):
        os.kill(process, signal.SIGUSR2)
    done = run(detached, *CELLS, *QUIET, *LOCAL)
    assert done.status == 0, done.out + done.err
    assert len(list(detached.glob(PARTS))) == 240
    assert len(job_files(detached)) == 2
    said = [path.read_text() for path in detached.glob("multirun/two/.submitit/*_log.out")]
    assert all(text.count("Requeued job") == 1 and text.count("Loading pickle") == 2 for text in said)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.slow
def test_jobs_share_the_seeds_of_a_cell_and_of_one_that_is_lost_only_its_share_is_trained_again(tmp_path, whole):
    words = [*CELLS, *QUIET, *LOCAL, "hydra.launcher.seeds_per_job=60"]
    process = start(tmp_path, *words)
    wait_for_files(tmp_path, PARTS, 1)
    jobs = read_jobs(tmp_path / "multirun" / "two")
    assert [(len(set(job.cells)), len(job.runs)) for job in jobs] == 4 * [(1, 60)]
    last = int(jobs[-1].id)
    for each in [last, *(each for each in processes_of(tmp_path) if parent_of(each) == last)]:
        os.kill(each, signal.SIGKILL)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 1, said
    assert f"job {last} ended before its cells were finished" in said
    missing = 240 - len(list(tmp_path.glob(PARTS)))
    assert 0 < missing <= 60
    again = run(tmp_path, *words)
    assert again.status == 0, again.out + again.err
    assert f"{missing} to run" in again.out
    assert table(tmp_path, "two") == table(whole, "two")


def test_what_is_open_is_cut_into_shares_without_what_jobs_have(tmp_path):
    def cell(name, *open_parts, is_divisible=True):
        return OpenCell(name, {part: tmp_path / part for part in open_parts}, [], is_divisible)

    def cut(taken, cell, size):
        return [share.runs for share in Taken(taken).shares(0, cell, size)]

    def job(*cells, runs=()):
        return ClusterJob("1", "slurm", "node", list(cells), list(runs))

    (tmp_path / "done").touch()
    five = cell("five", "a", "b", "c", "done", "d", "e")
    assert cut([], five, None) == cut([], five, 5) == [[]]
    assert cut([], five, 2) == [["a", "b"], ["c", "d"], ["e"]]
    assert cut([job("other", "five")], five, 2) == []
    assert cut([job("five", runs=["b", "c"])], five, 2) == [["a", "d"], ["e"]]
    # What jobs of an earlier start have stays theirs, whatever the settings are by now.
    assert cut([job("five", runs=["b", "c"])], five, None) == [["a", "d", "e"]]
    assert cut([], cell("five", "a", "b", "c", is_divisible=False), 2) == [[]]
    assert cut([], cell("finished", "done"), 2) == []
    one, two, three = (cell(name, "a") for name in ("one", "two", "three"))
    shares = [Share(0, one, []), Share(1, two, ["a"]), Share(2, three, [])]
    assert [[share.cell.name for share in group] for group in in_groups(shares, 2)] == [["one", "three"], ["two"]]


def test_a_cluster_that_is_not_there_is_an_error_before_anything_is_submitted(tmp_path):
    done = run(tmp_path, *CELLS, *QUIET, "hydra/launcher=slurm", PATH="/nowhere")
    assert done.status == 3
    assert "error: there is no Slurm here: sbatch is not found." in done.err
    assert "hint: give the command on the cluster; hydra.launcher.cluster=local runs" in done.err
    assert not job_files(tmp_path)


def settings(name: str) -> dict:
    with hydra_started():
        found = compose("config", [f"hydra/launcher={name}"], return_hydra_config=True).hydra.launcher
    return {key: value for key, value in found.items() if key != "_target_"}


def test_all_settings_that_cannot_be_are_said():
    wrong = Settings(**settings("slurm") | {"cores": 0, "minutes": 1.5, "cluster": "pbs"})
    with pytest.raises(UsageError) as error:
        wrong.check()
    assert [problem.message.partition(" must be ")[::2] for problem in error.value.problems] == [
        ("hydra.launcher.cores", "a whole number above 0; got 0."),
        ("hydra.launcher.minutes", "a whole number above 0; got 1.5."),
        ("hydra.launcher.cluster", "slurm or local; got 'pbs'."),
    ]


@pytest.mark.parametrize("name", sorted(path.stem for path in Path("conf/hydra/launcher").glob("*.yaml")))
def test_every_preset_is_a_launcher_with_the_settings_of_the_first(name):
    with hydra_started():
        check_launcher([f"hydra/launcher={name}"])
    assert set(settings(name)) == set(settings("slurm"))
    Settings(**settings(name))


def test_jobs_that_ended_early_are_named_with_their_output():
    jobs = [ClusterJob(f"7_{number}", "slurm", "node", [f"cell-{number}"]) for number in range(9)]
    assert lost_lines(jobs, {}) == []
    said = "job 7_3 ended before its cells were finished; see .submitit/7_3_0_log.out"
    assert lost_lines(jobs, {"cell-3": {"seed=0"}})[1] == said
    assert lost_lines(jobs, {f"cell-{number}": {"seed=0"} for number in range(9)})[-1] == "so did 4 other jobs"
    shares = [ClusterJob(f"7_{number}", "slurm", "node", ["cell"], [f"seed={number}"]) for number in range(9)]
    assert lost_lines(shares, {"cell": {"seed=3"}}) == ["", said]
    assert jobs_line({"7_1": "PENDING", "7_2": "RUNNING", "7_3": "COMPLETING"}) == "2 jobs at work, 1 waiting"
