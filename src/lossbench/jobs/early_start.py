"""Starts the process that trains while the sweep is still planned, because loading TensorFlow takes as long.

It is imported before anything is planned, so it imports little itself.
"""

from lossbench.config.paths import home
from lossbench.jobs.worker.supervision import supervisor

# Hydra's launcher where none is named: it runs the jobs in the process that launches them, one by one.
BASIC = "basic"
# Its jobs run in processes that the launching process starts.
JOBLIB = "joblib"


def start_early(hydra: list[str], name: str) -> None:
    """Start the process that trains for a sweep of a name, if that is surely new and will train in this process's jobs.

    Of a sweep that is there all may be finished, and jobs of other launchers start processes of their own.

    Parameters
    ----------
    hydra : list of str
        Overrides of Hydra's own configuration.
    """
    if launcher_of(hydra) == BASIC and not (home() / "multirun" / name).exists():
        supervisor.start()


def launcher_of(hydra: list[str]) -> str:
    """Return the name of the launcher in overrides of Hydra's own configuration."""
    return next((text.partition("=")[2] for text in hydra if text.startswith("hydra/launcher=")), BASIC)
