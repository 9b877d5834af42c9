"""A finished run as MLflow gets it, whichever way it is written."""

from dataclasses import dataclass

from mlflow.entities import Metric, Param

# The most characters of a param's value that MLflow takes.
LONGEST_PARAM = 6000


@dataclass(frozen=True)
class FinishedRun:
    """An MLflow run that is complete before it is written: a training, or a trial of a study.

    Attributes
    ----------
    tags, params : dict
        By name.
    metrics : list of Metric
        Final values and the points of curves.
    status : str
        ``FINISHED`` or ``FAILED``.
    started, ended : float
        Seconds since 1970.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: list[Metric]
    status: str
    started: float
    ended: float


def milliseconds(seconds: float) -> int:
    """Return a time in seconds as MLflow's whole milliseconds."""
    return int(seconds * 1000)


def param_entities(params: dict[str, str]) -> list[Param]:
    """Return params as MLflow's entities, with their values as long as it takes them."""
    return [Param(key, value[:LONGEST_PARAM]) for key, value in params.items()]
