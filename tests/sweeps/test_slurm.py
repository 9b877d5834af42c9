"""A sweep on a real Slurm of one node, whose daemons the tests start (``make slurm``)."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support.commands import Done, run
from support.processes import PARTS, processes_of, start, wait_for, wait_for_files
from support.slurm_cluster import Cluster, lacking, slurm_cluster
from support.sweeps import table

from lossbench.jobs.cluster.job_list import read_jobs

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(lacking()), reason=lacking())]
QUIET = ["tracking.enabled=false", "report.yardsticks=false"]
NINE = ["-m", "experiment=tutorial", "seeds=3", *QUIET]
TWO = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=300", "seeds=120", "name=two", *QUIET]
OURS = ["hydra/launcher=slurm_short", "hydra.launcher.memory_gb=2"]
LEFT = [*OURS, "hydra.launcher.detach=true"]


@pytest.fixture(scope="module")
def cluster():
    with slurm_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Both sweeps by the basic launcher."""
    home = tmp_path_factory.mktemp("whole")
    assert run(home, *NINE).status == 0
    assert run(home, *TWO).status == 0
    return home


def on(cluster: Cluster, home: Path, *arguments: str) -> Done:
    return run(home, *arguments, **cluster.environment)


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(["hydra/launcher=submitit_slurm"], id="Hydra's own"),
        pytest.param(OURS, id="ours, a cell a job"),
        pytest.param([*OURS, "hydra.launcher.cells_per_job=4", "hydra.launcher.cores=1"], id="ours, in groups"),
        pytest.param([*OURS, "hydra.launcher.seeds_per_job=2", "hydra.launcher.cores=1"], id="ours, cells in shares"),
    ],
)
def test_nine_cells_have_the_table_of_one_process(cluster, whole, tmp_path, launcher):
    done = on(cluster, tmp_path, *NINE, *launcher)
    assert done.status == 0, done.out + done.err
    assert table(tmp_path, "tutorial") == table(whole, "tutorial")
    assert not cluster.said("squeue", "-h").strip()


@pytest.mark.parametrize("how", ["scancel", "its process is killed"])
def test_a_job_that_is_lost_is_named_and_the_same_command_finishes(cluster, whole, tmp_path, how):
    process = start(tmp_path, *TWO, *OURS, **cluster.environment)
    wait_for_files(tmp_path, PARTS, 3)
    job = cluster.said("squeue", "-h", "--array", "-o", "%i", "-t", "RUNNING").split()[0]
    if how == "scancel":
        cluster.said("scancel", job)
    else:
        of_job = [each for each in processes_of(tmp_path, b"submitit.core._submit") if job in environment_of(each)]
        os.kill(of_job[-1], signal.SIGKILL)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 1, said
    assert f"job {job} ended before its cells were finished; see .submitit/{job}_0_log.out" in said
    assert re.search(r"\d+ runs are missing .*; the same command runs them", said)
    again = on(cluster, tmp_path, *TWO, *OURS)
    assert again.status == 0, again.out + again.err
    assert table(tmp_path, "two") == table(whole, "two")


def environment_of(process: int) -> str:
    """Return the part of a process's environment that says which job of an array it belongs to."""
    values = dict(
        text.split("=", 1) for text in Path(f"/proc/{process}/environ").read_text().split("\0") if text.count("=")
    )
    return f"{values.get('SLURM_ARRAY_JOB_ID')}_{values.get('SLURM_ARRAY_TASK_ID')}"


def test_at_its_time_limit_a_job_goes_back_into_the_queue_and_goes_on(cluster, tmp_path):
    long = ["dataset=circles", "loss=bce", "epochs=3000", "evaluate_every=100", "seeds=200", "name=long", *QUIET]
    on_one = [*OURS, "hydra.launcher.cores=1", "hydra.launcher.minutes=1"]
    assert on(cluster, tmp_path, *long, *on_one, "hydra.launcher.detach=true").status == 0
    (listed,) = read_jobs(tmp_path / "multirun" / "long")
    wait_for(lambda: "REQUEUED" in cluster.said("sacct", "-X", "-n", "-D", "-o", "State", "-j", listed.id), 120)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob(PARTS)}
    assert len(before) < 200
    # Slurm lets a job that was put back wait for two minutes; and once is enough.
    cluster.said("scontrol", "update", f"JobId={listed.id}", "StartTime=now", "TimeLimit=30")
    done = on(cluster, tmp_path, *long, *on_one)
    assert done.status == 0, done.out + done.err
    assert "at work since an earlier start: " in done.out
    assert len(list(tmp_path.glob(PARTS))) == 200
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert read_jobs(tmp_path / "multirun" / "long") == [listed]


def test_jobs_go_on_without_the_command_and_the_same_command_collects(cluster, whole, tmp_path):
    process = start(tmp_path, *TWO, *OURS, **cluster.environment)
    wait_for_files(tmp_path, PARTS, 3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    shown = on(cluster, tmp_path, *TWO, *LEFT)
    assert (shown.status, shown.err) == (0, "")
    assert re.search(r"at work since an earlier start: \d jobs? at work, \d waiting", shown.out)
    done = on(cluster, tmp_path, *TWO, *OURS)
    assert done.status == 0, done.out + done.err
    assert table(tmp_path, "two") == table(whole, "two")
    assert len(list(tmp_path.glob("multirun/two/.submitit/*_submitted.pkl"))) == 2


def test_an_interrupt_cancels_the_jobs(cluster, tmp_path):
    process = start(tmp_path, *TWO, *OURS, **cluster.environment)
    wait_for_files(tmp_path, PARTS, 3)
    process.terminate()
    said = process.communicate(timeout=100)[0]
    assert process.returncode == 130
    assert "of 240 runs are finished; the same command continues." in said
    assert not cluster.said("squeue", "-h").strip()


def test_jobs_that_slurm_does_not_accept_are_an_error_that_says_why(cluster, tmp_path):
    done = on(cluster, tmp_path, *TWO, *OURS, "hydra.launcher.partition=nothere")
    assert done.status == 3
    assert "error: Slurm does not accept the jobs: " in done.err
    assert "invalid partition specified: nothere" in done.err


def test_a_cluster_without_accounting_is_enough(whole, tmp_path):
    with slurm_cluster(accounting=False) as cluster:
        with pytest.raises(subprocess.CalledProcessError):
            cluster.said("sacct")
        done = on(cluster, tmp_path, *NINE, *OURS)
    assert done.status == 0, done.out + done.err
    assert table(tmp_path, "tutorial") == table(whole, "tutorial")
