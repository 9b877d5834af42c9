"""An experiment of MLflow: its runs are found by their tags, made, filled and ended. What is written is for others."""

import fcntl
import getpass
import logging
import platform
import time
from contextlib import contextmanager, suppress
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment as Recorded
from mlflow.entities import Metric, Param, Run, ViewType

from lossbench import __version__
from lossbench.config.paths import home
from lossbench.config.settings import plain, with_values
from lossbench.planning.keys import KEY_SETTINGS
from lossbench.planning.plan import Cell, Plan
from lossbench.results.provenance import commit

# What MLflow takes in one call.
BATCH = 1000


@contextmanager
def _one_at_a_time():
    """Hold this working directory's store: two processes that create it at once break each other."""
    folder = home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Experiment:
    """An experiment of a store, made if it is not there, with the runs that are open in it."""

    def __init__(self, plan: Plan, name: str, uri: str):
        for logger in ("mlflow", "alembic"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        self.plan = plan
        with _one_at_a_time():
            self.client = MlflowClient(uri)
            self.experiment = self._made(name, uri)
        self.experiment_id = self.experiment.experiment_id
        # What an earlier start left open; whatever still is when this one ends is closed.
        self.open: set[str] = set()
        self._commit = _commit()

    def _made(self, name: str, uri: str) -> Recorded:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            local = uri.startswith(("sqlite:", "file:"))
            location = (home() / "mlruns" / "artifacts" / name).as_uri() if local else None
            return self.client.get_experiment(self.client.create_experiment(name, artifact_location=location))
        if found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id}) or choose another name=…"
            )
        return found

    def describe(self, tags: dict[str, str]) -> None:
        """Give the experiment tags, where it does not have them."""
        for key, value in tags.items():
            if self.experiment.tags.get(key) != value:
                self.client.set_experiment_tag(self.experiment_id, key, value)

    def find(self, kind: str) -> list[Run]:
        """Return all runs of a kind, deleted ones too; those that are still open are taken over."""
        runs: list[Run] = []
        token = None
        while token is None or token:
            page = self.client.search_runs(
                [self.experiment_id], f"tags.kind = '{kind}'", ViewType.ALL, max_results=5000, page_token=token
            )
            runs += page
            token = page.token or ""
        live = (run for run in runs if run.info.lifecycle_stage != "deleted")
        self.open |= {run.info.run_id for run in live if run.info.status == "RUNNING"}
        return runs

    def create(self, name: str, tags: dict[str, str], started: float) -> Run:
        """Make a run, open."""
        run = self.client.create_run(self.experiment_id, milliseconds(started), tags, name)
        self.open.add(run.info.run_id)
        return run

    def reopen(self, run: Run) -> None:
        """Take up a run that was ended."""
        if run.info.run_id not in self.open:
            self.open.add(run.info.run_id)
            if run.info.status != "RUNNING":
                self.client.update_run(run.info.run_id, "RUNNING")

    def terminate(self, run_id: str, status: str, ended: float) -> None:
        """End a run."""
        self.client.set_terminated(run_id, status, milliseconds(ended))
        self.open.discard(run_id)

    def delete(self, run: Run) -> None:
        """Delete a run, unless it is."""
        if run.info.lifecycle_stage != "deleted":
            self.client.delete_run(run.info.run_id)
        self.open.discard(run.info.run_id)

    def log(self, run_id: str, metrics: list[Metric], params: dict[str, str]) -> None:
        """Log in one call where MLflow takes it, else in as few as it does."""
        entities = [Param(key, value[:6000]) for key, value in params.items()]
        room = BATCH - len(entities)
        self.client.log_batch(run_id, metrics[:room], entities)
        for start in range(room, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics[start : start + BATCH])

    def close(self) -> None:
        """Leave no run RUNNING: what is still open was interrupted, and the next start takes it up again."""
        for run_id in list(self.open):
            self.terminate(run_id, "KILLED", time.time())

    def tags(self, cell: Cell, kind: str) -> dict[str, str]:
        """Return what every run of a cell is found by."""
        return {
            "kind": kind,
            "sweep": self.plan.name,
            "cell": cell.name,
            "dataset": cell.dataset,
            "head": cell.head,
            "loss": cell.loss,
            "outside_domain": str(cell.outside_domain).lower(),
            "lossbench.version": __version__,
        }

    def source(self) -> dict[str, str]:
        """Return who made a run, with which command, from which code."""
        named = {"mlflow.source.name": self.plan.command, "mlflow.source.type": "LOCAL"}
        with suppress(OSError, KeyError):
            named["mlflow.user"] = getpass.getuser()
        return named | self._commit


def milliseconds(seconds: float) -> int:
    """Return a moment as MLflow counts it."""
    return int(seconds * 1000)


def params(cell: Cell, tuned: dict[str, Any] | None = None) -> dict[str, str]:
    """Return what a user sorts, filters and groups by: choices by their group's name, settings by their key.

    ``tuned`` is what a study chose instead of the cell's own settings.
    """
    found = {"dataset": cell.dataset, "loss": cell.loss, "head": cell.head}

    def walk(value: Any, key: str) -> None:
        if key == "dataset.file":
            # Names of a user's columns are not all names for MLflow; cell.json has them.
            found["dataset.digest"] = value["digest"]
        elif isinstance(value, dict):
            for name, child in value.items():
                walk(child, f"{key}.{name}")
        elif key.endswith(".name"):
            found.setdefault(key.removesuffix(".name"), str(value))
        else:
            found[key] = str(value)

    settings = plain(with_values(cell.settings, tuned or {}))
    for key in KEY_SETTINGS:
        walk(settings[key], key)
    return found


def _commit() -> dict[str, str]:
    """Return the version of Python, and the code's commit where it is known, as MLflow's tags."""
    names = {"commit": "mlflow.source.git.commit", "dirty": "dirty"}
    found = {names[name]: value for name, value in commit().items()}
    return {"python": platform.python_version(), **found}
