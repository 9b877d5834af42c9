"""A process uses the cores that it was allotted, where Slurm binds it to none of them."""

import os

import pytest

from lossbench.ground.cores import n_cores, thread_limits


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


def test_outside_of_slurm_the_system_says_how_many_cores_there_are(monkeypatch):
    assert (n_cores(), thread_limits()) == (8, {})
    # What a shell on a cluster's entrance may have.
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    assert (n_cores(), thread_limits()) == (8, {})


@pytest.mark.parametrize(
    ("given", "cores"),
    [
        pytest.param({"SLURM_CPUS_ON_NODE": "4"}, 4, id="a node's share"),
        pytest.param({"SLURM_CPUS_ON_NODE": "4", "SLURM_CPUS_PER_TASK": "2"}, 2, id="a task's share"),
        pytest.param({"SLURM_CPUS_ON_NODE": "16"}, 8, id="more than it is bound to"),
        pytest.param({}, 8, id="nothing said"),
    ],
)
def test_a_slurm_job_uses_what_it_was_allotted(monkeypatch, given, cores):
    for name, value in {"SLURM_JOB_ID": "1", **given}.items():
        monkeypatch.setenv(name, value)
    assert n_cores() == cores
    last = list(given.values())[-1:]
    assert list(thread_limits().values()) == last * 2
