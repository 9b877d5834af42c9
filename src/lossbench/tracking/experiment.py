"""An MLflow experiment: finds its runs by their tags, creates, fills and ends them.

``tracker`` and ``studies`` decide what is written; this module knows how MLflow wants it.
"""

import fcntl
import getpass
import logging
import platform
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment as Recorded
from mlflow.entities import Metric, Run, ViewType
from mlflow.exceptions import MlflowException

from lossbench import __version__
from lossbench.config.paths import home, store_uri
from lossbench.config.settings import plain, with_values
from lossbench.planning.keys import KEY_SETTINGS
from lossbench.planning.plan import Cell, Plan
from lossbench.results.provenance import commit
from lossbench.tracking.direct_writer import direct_writer
from lossbench.tracking.finished_run import FinishedRun, milliseconds, param_entities
from lossbench.tracking.local_store import store_path

# The most metrics and parameters that MLflow accepts in one call.
BATCH = 1000


@contextmanager
def _one_at_a_time():
    """Lock the store: two processes that create the same SQLite database at the same time break each other."""
    folder = home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_store(uri: str) -> None:
    """Make the file of a SQLite store that does not exist yet, whole or not at all.

    A kill in the two seconds of MLflow's migrations would leave tables that no MLflow opens.
    """
    path = store_path(uri)
    # What is asked of SQLite behind the path is left to MLflow.
    if path is None or "?" in uri or (path.exists() and path.stat().st_size > 0):
        return
    new = path.with_name(f".{path.name}.new")
    for left in (new, Path(f"{new}-journal")):
        left.unlink(missing_ok=True)
    MlflowClient(store_uri(new)).search_experiments(max_results=1)
    new.replace(path)


class Experiment:
    """An MLflow experiment, created if it does not exist, and the runs that are open in it."""

    def __init__(self, plan: Plan, name: str, uri: str):
        # alembic logs every step of creating the SQLite database, urllib3 every attempt to reach a server.
        for logger in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(logger).setLevel(logging.ERROR)
        self.plan = plan
        with _one_at_a_time():
            _make_store(uri)
            self.client = MlflowClient(uri)
            self.experiment = self._made(name, uri)
        self.experiment_id = self.experiment.experiment_id
        self._direct = direct_writer(uri)
        # The ids of open runs, of an earlier start too; ``close`` ends those that are still open.
        self.open: set[str] = set()
        self._commit = _commit()

    def _made(self, name: str, uri: str) -> Recorded:
        found = self.client.get_experiment_by_name(name)
        if found is None:
            local = uri.startswith(("sqlite:", "file:"))
            location = (home() / "mlruns" / "artifacts" / name).as_uri() if local else None
            try:
                return self.client.get_experiment(self.client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                # A sweep of another machine has made it on the server in between.
                found = self.client.get_experiment_by_name(name)
                if found is None or error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
        if found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id}) or choose another name=…"
            )
        return found

    def describe(self, tags: dict[str, str]) -> None:
        """Set those tags of the experiment that it does not have yet."""
        for key, value in tags.items():
            if self.experiment.tags.get(key) != value:
                self.client.set_experiment_tag(self.experiment_id, key, value)

    def find(self, kind: str, identity: str | None = None) -> list[Run]:
        """Return all runs of a kind (tag ``kind``), the latest start first, and take over those that were left open.

        Deleted runs are among them, so that a run that the user deleted is not written again.

        Parameters
        ----------
        identity : str
            The tag by which there is one run of the kind; None if there may be several.
        """
        runs = self._runs_of_kind(kind)
        doubles = _doubles(runs, identity) if identity else []
        for run in doubles:
            self.replace(run)
        runs = [run for run in runs if run not in doubles and not _was_replaced(run)]
        live = (run for run in runs if run.info.lifecycle_stage != "deleted")
        self.open |= {run.info.run_id for run in live if run.info.status == "RUNNING"}
        return runs

    def _runs_of_kind(self, kind: str) -> list[Run]:
        """Return all runs of a kind, the latest start first; of their data, only the tags are sure to be there."""
        if self._direct is not None:
            return self._direct.find(self.experiment, kind)
        return search_all(self.client, self.experiment_id, f"tags.kind = '{kind}'", ViewType.ALL)

    def delete_unanswered(self) -> None:
        """Delete the runs that a server has made without our knowing: its answer was lost, and we asked again."""
        if self._direct is not None:
            return
        search = f"attributes.status = 'RUNNING' and tags.sweep = '{self.plan.name}'"
        for run in search_all(self.client, self.experiment_id, search, ViewType.ACTIVE_ONLY):
            if run.info.run_id not in self.open:
                self.replace(run)

    def add(self, runs: list[FinishedRun]) -> list[Run]:
        """Write runs that have ended already, and return them as they were made.

        A SQLite store gets all of them at once, whole or not at all; others get one after the other, and a run that a
        kill left unfinished there is found open by the next start.
        """
        if self._direct is not None:
            return self._direct.add(self.experiment, runs)
        return [self._send(run) for run in runs]

    def _send(self, run: FinishedRun) -> Run:
        made = self.create(run.name, run.tags, run.started)
        self.complete(made.info.run_id, run)
        return made

    def complete(self, run_id: str, run: FinishedRun, tags: dict[str, str] | None = None) -> None:
        """Write the metrics and params that a run still lacks, and tags that it gets only at its end, and end it."""
        if self._direct is not None:
            self._direct.complete(run_id, run, tags or {})
            self.open.discard(run_id)
            return
        self.log(run_id, run.metrics, run.params)
        for key, value in (tags or {}).items():
            self.client.set_tag(run_id, key, value)
        self.terminate(run_id, run.status, run.ended)

    def set_tag(self, run_ids: list[str], key: str, value: str) -> None:
        """Set a tag of several runs."""
        if self._direct is not None:
            self._direct.set_tag(run_ids, key, value)
            return
        for run_id in run_ids:
            self.client.set_tag(run_id, key, value)

    def create(self, name: str, tags: dict[str, str], started: float) -> Run:
        """Create an open run."""
        run = self.client.create_run(self.experiment_id, milliseconds(started), tags, name)
        self.open.add(run.info.run_id)
        return run

    def reopen(self, run: Run) -> None:
        """Open a run that was ended."""
        if run.info.run_id not in self.open:
            self.open.add(run.info.run_id)
            if run.info.status != "RUNNING":
                self.client.update_run(run.info.run_id, "RUNNING")

    def terminate(self, run_id: str, status: str, ended: float) -> None:
        """End a run."""
        self.client.set_terminated(run_id, status, milliseconds(ended))
        self.open.discard(run_id)

    def delete(self, run: Run) -> None:
        """Delete a run, unless it is deleted already."""
        if run.info.lifecycle_stage != "deleted":
            self.client.delete_run(run.info.run_id)
        self.open.discard(run.info.run_id)

    def replace(self, run: Run) -> None:
        """Delete a run that another one stands for, and mark it as one that no user has deleted."""
        self.client.set_tag(run.info.run_id, "replaced", "true")
        self.delete(run)

    def log(self, run_id: str, metrics: list[Metric], params: dict[str, str]) -> None:
        """Log metrics and parameters in as few calls as MLflow's limit allows."""
        entities = param_entities(params)
        if self._direct is not None:
            # A few params through the client, which refuses those that differ from what the run has.
            self.client.log_batch(run_id, params=entities)
            self._direct.log(run_id, metrics)
            return
        room = BATCH - len(entities)
        self.client.log_batch(run_id, metrics[:room], entities)
        for start in range(room, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics[start : start + BATCH])

    def close(self) -> None:
        """End the runs that are still open as KILLED: they were interrupted, and the next start reopens them."""
        for run_id in list(self.open):
            self.terminate(run_id, "KILLED", time.time())

    def tags(self, cell: Cell, kind: str) -> dict[str, str]:
        """Return the tags by which the runs of a cell are found."""
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
        """Return tags with the origin of a run: user, command and commit."""
        named = {"mlflow.source.name": self.plan.command, "mlflow.source.type": "LOCAL"}
        with suppress(OSError, KeyError):
            named["mlflow.user"] = getpass.getuser()
        return named | self._commit


def _doubles(runs: list[Run], identity: str) -> list[Run]:
    """Return the runs that were left unfinished and are there once more; of several of them all but one."""
    kept: set[tuple[str, str | None]] = set()
    doubles = []
    live = [run for run in runs if run.info.lifecycle_stage != "deleted"]
    for run in sorted(live, key=lambda run: run.info.status in ("RUNNING", "KILLED")):
        which = (run.data.tags[identity], run.data.tags.get("started"))
        if which in kept and run.info.status in ("RUNNING", "KILLED"):
            doubles.append(run)
        kept.add(which)
    return doubles


def _was_replaced(run: Run) -> bool:
    return run.info.lifecycle_stage == "deleted" and run.data.tags.get("replaced") == "true"


def search_all(client: MlflowClient, experiment_id: str, search: str, view: int) -> list[Run]:
    """Return all runs of an experiment that a search finds, page by page."""
    runs: list[Run] = []
    token = None
    while token is None or token:
        page = client.search_runs([experiment_id], search, view, max_results=5000, page_token=token)
        runs += page
        token = page.token or ""
    return runs


def params(cell: Cell, tuned: dict[str, Any] | None = None) -> dict[str, str]:
    """Return a cell's MLflow parameters, by which users sort, filter and group in the UI.

    A choice has the name of its group (``loss``), a setting its key (``optimizer.learning_rate``).

    Parameters
    ----------
    tuned : dict
        The values that a study chose, by settings key, which replace the cell's own; None for an untuned cell.
    """
    found = {"dataset": cell.dataset, "loss": cell.loss, "head": cell.head}

    def walk(value: Any, key: str) -> None:
        if key in ("dataset.file", "dataset.data"):
            # MLflow rejects some characters in the names of users' columns and classes; cell.json has them all.
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
        # The metric is there only where it is not the task's.
        if key in settings:
            walk(settings[key], key)
    return found


def _commit() -> dict[str, str]:
    """Return tags with the version of Python and, in a git checkout, the commit."""
    names = {"commit": "mlflow.source.git.commit", "dirty": "dirty"}
    found = {names[name]: value for name, value in commit().items()}
    return {"python": platform.python_version(), **found}
