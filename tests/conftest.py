"""What tests share: the real command in a process of its own, and one small sweep that many look at."""

import os
import shutil
import signal
import tempfile

import pytest
from support.commands import PROGRAMS, run
from support.sweeps import Sweep

from lossbench.config.mlflow_environment import configure_mlflow
from lossbench.ground import quiet_tensorflow  # noqa: F401

configure_mlflow()


def pytest_configure():
    # A shell that starts the tests in the background has it ignored, in the commands that they start too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # xdist's workers inherit the folder of the process that starts them.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[PROGRAMS] = tempfile.mkdtemp(prefix="lossbench-tests-")


def pytest_unconfigure():
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ[PROGRAMS], ignore_errors=True)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Sweep:
    """``experiment=smoke``: 4 cells, 3 seeds, 5 epochs, tracked. Not to be changed by a test."""
    home = tmp_path_factory.mktemp("smoke")
    return Sweep(home, "smoke", run(home, "experiment=smoke"))
