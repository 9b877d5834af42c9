"""Removes the experiments of a sweep from MLflow, and nothing that others have written into them."""

import time
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from lossbench.tracking.experiment import search_all


@dataclass(frozen=True)
class Found:
    """An experiment of a sweep in MLflow.

    Attributes
    ----------
    ours : list of str
        The ids of the sweep's live runs in it.
    n_others : int
        The number of live runs that somebody else has written into it.
    """

    experiment_id: str
    name: str
    ours: list[str]
    n_others: int


def find(uri: str, sweep: str) -> list[Found]:
    """Return those experiments of a sweep that are in MLflow: its runs, and its studies."""
    client, found = MlflowClient(uri), []
    for name in (sweep, f"{sweep}-tuning"):
        experiment = client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage == "deleted":
            continue
        runs = search_all(client, experiment.experiment_id, "", ViewType.ACTIVE_ONLY)
        ours = [run.info.run_id for run in runs if _is_of(run, sweep)]
        if ours or not runs:
            found.append(Found(experiment.experiment_id, name, ours, len(runs) - len(ours)))
    return found


def _is_of(run: Run, sweep: str) -> bool:
    return run.data.tags.get("sweep") == sweep and "kind" in run.data.tags


def remove(uri: str, found: Found) -> None:
    """Delete an experiment, or only the sweep's runs if others are in it.

    MLflow keeps what is deleted until ``mlflow gc``. The experiment gets another name, so that a new sweep can have its
    own.
    """
    client = MlflowClient(uri)
    if found.n_others:
        for run_id in found.ours:
            client.delete_run(run_id)
        return
    client.rename_experiment(found.experiment_id, f"{found.name} (removed {time.strftime('%Y-%m-%d %H:%M:%S')})")
    client.delete_experiment(found.experiment_id)
