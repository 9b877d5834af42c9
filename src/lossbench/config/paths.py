"""The paths of the shipped configuration, the results, and MLflow's database."""

import os
from pathlib import Path


def conf_folder() -> Path:
    """Return the folder of the shipped configuration: ``conf/`` of the repository, or the copy inside a wheel."""
    installed = Path(__file__).parents[1] / "conf"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "conf"


def home() -> Path:
    """Return the folder that holds ``multirun/`` and ``mlruns/``: ``LOSSBENCH_HOME``, or the working directory."""
    return Path(os.environ.get("LOSSBENCH_HOME") or ".").absolute()


def shown(path: Path) -> str:
    """Return a path for printing: relative if it lies inside the working directory, else unchanged."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def default_store() -> str:
    """Return the URI of the default MLflow database, a SQLite file below ``home()``."""
    return store_uri(home() / "mlruns" / "mlflow.db")


def store_uri(path: Path) -> str:
    """Return the URI of an MLflow database that is a SQLite file with an absolute path."""
    # In a URI, % begins an escape and ? the query.
    return f"sqlite:///{str(path).replace('%', '%25').replace('?', '%3F')}"
