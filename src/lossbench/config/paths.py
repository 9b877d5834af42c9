"""Where things lie: the shipped configuration, results, and MLflow's store."""

import os
from pathlib import Path


def conf_folder() -> Path:
    """Return the folder of the shipped choices: beside ``src`` in a clone, in the package once installed."""
    installed = Path(__file__).parents[1] / "conf"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "conf"


def home() -> Path:
    """Return the folder in which ``multirun/`` and ``mlruns/`` lie: ``LOSSBENCH_HOME``, or the working directory."""
    return Path(os.environ.get("LOSSBENCH_HOME") or ".").absolute()


def shown(path: Path) -> str:
    """Return a path as it is said: relative to the working directory where it lies in it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def default_store() -> str:
    """Return the address of this working directory's MLflow store."""
    path = str(home() / "mlruns" / "mlflow.db")
    # In an address these two mean something.
    return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"
