"""What tests share: the real command in a process of its own, and one small sweep that many look at."""

import pytest
from support.commands import run
from support.sweeps import Sweep

from lossbench.config.mlflow_environment import configure_mlflow
from lossbench.ground import quiet_tensorflow  # noqa: F401

configure_mlflow()


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Sweep:
    """``experiment=smoke``: 4 cells, 3 seeds, 5 epochs, tracked. Not to be changed by a test."""
    home = tmp_path_factory.mktemp("smoke")
    return Sweep(home, "smoke", run(home, "experiment=smoke"))
