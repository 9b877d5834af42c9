"""MLflow: a projection of the results on disk, which can be written again without changing anything.

The only module that imports mlflow. A sweep has an experiment; in it stand the sweep run, a run for each cell and,
nested in that, one for each seed. Every run is found again by its tags, and times come from the results.
"""

import fcntl
import getpass
import json
import logging
import os
import platform
import time
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode

# Before mlflow is imported. A server that is away must not hold a sweep for minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, ViewType

from lossbench import __version__
from lossbench.comparison import mean_interval, mean_intervals
from lossbench.config import KEY_SETTINGS, home
from lossbench.datasets.table import DATASETS
from lossbench.metrics.table import MAIN_METRICS, lower_is_better
from lossbench.plan import Cell, Plan
from lossbench.plots import COLOURS, cell_figure, curve_matrix, dataset_figure
from lossbench.provenance import commit
from lossbench.report.marker import FIGURES, PAGE, SUMMARY, TABLE
from lossbench.results import DIVERGED, FAILED, CellResults, results_table
from lossbench.results import Run as Result
from lossbench.terminal import mean_and_interval
from lossbench.views import TRAINING, views

# What MLflow takes in one call.
BATCH = 1000
EXPERIMENT_NOTE = """\
{n_cells} cells, {n_seeds} seeds each: {links}

`{command}`

What is here (tag `kind`):

- `kind=cell`, one run for each combination of data set, loss and head. `final/test/…` is the mean over seeds, with \
`_std`, and `_low` and `_high` of the 95 % t interval; its curves are the mean, low and high over seeds. \
`runs`, `diverged`, `stuck` count its runs.
- `kind=run`, nested in its cell: one training, one seed, whole curves.
- `kind=sweep`: the whole sweep. Its description has the tables; its artifacts have `results.csv` and a figure for \
each data set with seed bands, which the chart page cannot draw.

Where to look:

- *Which loss is best on a data set?* Search `tags.kind = 'cell' and params.dataset = 'circles'`, and sort by \
`final/test/accuracy` (classes) or `final/test/rmse` (numbers; lower is better).
- *Compare curves:* the chart page with that search; `test/accuracy` is the mean, `test/accuracy_low` and `_high` \
its interval.
- *Which seed failed, diverged or is stuck?* Search `tags.status = 'diverged'`, `tags.status = 'failed'` or \
`tags.stuck = 'true'`.
"""


@contextmanager
def _one_at_a_time():
    """Hold this working directory's store: two processes that create it at once break each other."""
    folder = home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Tracker:
    """Writes one sweep to MLflow."""

    def __init__(self, plan: Plan, uri: str):
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.plan = plan
        with _one_at_a_time():
            self.client = MlflowClient(uri)
            self.experiment_id = self._experiment(uri)
        known = [run for kind in ("sweep", "cell", "run") for run in self._find(kind)]
        self._seed_runs = {run.data.tags["run_key"]: run for run in known if run.data.tags["kind"] == "run"}
        self._cells: dict[str, list[Run]] = {}
        for run in known:
            if run.data.tags["kind"] == "cell":
                self._cells.setdefault(run.data.tags["cell_key"], []).append(run)
        self._current: dict[str, str] = {}
        self._written: set[str] = set()
        # What an earlier start left open; whatever still is when this one ends is closed.
        live = [run for run in known if run.info.lifecycle_stage != "deleted"]
        self._open = {run.info.run_id for run in live if run.info.status == "RUNNING"}
        self._commit = _commit()
        self.sweep_run_id = self._sweep_run([run for run in known if run.data.tags["kind"] == "sweep"])

    def add_run(self, cell: Cell, run: Result) -> None:
        """Write a run, nested in its cell's; what is there already stays as it is."""
        parent = self._cell_run(cell, run.info.started)
        recorded = self._seed_runs.get(run.info.key)
        started = f"{run.info.started:.3f}"
        if recorded is not None and recorded.data.tags.get("started") != started:
            # The run was trained again: the record follows, and so does what its cell says of all runs.
            self._delete(self._seed_runs.pop(run.info.key))
            recorded = None
            if parent not in self._open:
                parent = self._new_cell_run(cell, run.info.started)
        if recorded is None:
            tags = self._tags(cell, "run") | {
                "mlflow.parentRunId": parent,
                "run_key": run.info.key,
                "seed": str(run.info.seed),
                "status": run.info.status,
                "stuck": str(run.info.stuck).lower(),
                "started": started,
            }
            if run.info.error:
                tags["error"] = run.info.error[:5000]
            recorded = self._create(f"{cell.name}/seed={run.info.seed}", tags, run.info.started)
            self._seed_runs[run.info.key] = recorded
        elif recorded.info.lifecycle_stage == "deleted":
            return
        elif recorded.data.tags.get("mlflow.parentRunId") != parent:
            self.client.set_tag(recorded.info.run_id, "mlflow.parentRunId", parent)
        if recorded.info.status in ("RUNNING", "KILLED") and run.info.key not in self._written:
            self._written.add(run.info.key)
            self._log_run(recorded.info.run_id, cell, run)

    def _log_run(self, run_id: str, cell: Cell, run: Result) -> None:
        moment = _milliseconds(run.info.ended)
        metrics = [
            Metric(name, float(value), moment, int(epoch))
            for name, curve in run.curves.items()
            for epoch, value in zip(run.arrays["epochs"], curve, strict=True)
        ]
        metrics += [Metric(f"final/{name}", value, moment, 0) for name, value in run.info.scores.items()]
        metrics += [Metric(f"naive/{name}", value, moment, 0) for name, value in run.info.naive.items()]
        if run.info.diverged_epoch:
            metrics.append(Metric("diverged_epoch", run.info.diverged_epoch, moment, 0))
        if run.info.selected_epoch:
            metrics.append(Metric("selected_epoch", run.info.selected_epoch, moment, 0))
        self._log(run_id, metrics, _params(cell) | {"seed": str(run.info.seed)})
        status = "FAILED" if run.info.status == FAILED else "FINISHED"
        self._terminate(run_id, status, run.info.ended)

    def add_cell(self, results: CellResults) -> None:
        """Write what all runs of a cell say together, once they are all there."""
        cell = results.cell
        ended = max(run.info.ended for run in results.runs)
        run_id = self._cell_run(cell, results.runs[0].info.started)
        if run_id not in self._open:
            return
        moment = _milliseconds(ended)
        metrics = [Metric(name, value, moment, 0) for name, value in _aggregates(results).items()]
        metrics += [Metric(f"naive/{name}", value, moment, 0) for name, value in results.naive.items()]
        metrics += [Metric(f"ceiling/{name}", value, moment, 0) for name, value in results.ceiling.items()]
        metrics += _curve_metrics(results, moment)
        self._log(run_id, metrics, _params(cell))
        self._log_dataset(run_id, cell)
        folder = self.plan.folder / cell.folder
        with suppress(FileNotFoundError):
            self.client.log_artifact(run_id, str(folder / "cell.json"))
            self.client.log_artifact(run_id, str(folder / ".hydra" / "config.yaml"))
        table = results_table(self.plan, [results]).to_csv(index=False)
        self.client.log_text(run_id, table, "runs.csv")
        if any("epochs" in run.arrays for run in results.runs):
            self.client.log_figure(run_id, cell_figure(results, MAIN_METRICS[cell.task]), "curves.png")
        self.client.set_tag(run_id, "mlflow.note.content", self._cell_note(results))
        self._terminate(run_id, "FINISHED", ended)
        for other in self._cells.get(cell.key, []):
            if other.info.run_id != run_id and other.info.lifecycle_stage != "deleted":
                self.client.set_tag(other.info.run_id, "replaced", "true")
                self._delete(other)

    def progress(self, n_finished: int) -> None:
        """Say on the sweep run how many runs are finished."""
        self.client.log_metric(self.sweep_run_id, "runs_finished", n_finished, step=n_finished)

    def finish(self, results: list[CellResults], note: str) -> None:
        """Write the answer of a sweep whose runs are all there."""
        for data in dict.fromkeys(result.cell.data for result in results):
            chosen = [r for r in results if r.cell.data == data and any("epochs" in x.arrays for x in r.runs)]
            if chosen:
                figure = dataset_figure(data, chosen, MAIN_METRICS[chosen[0].cell.task])
                self.client.log_figure(self.sweep_run_id, figure, f"curves-{data.replace('/', '-')}.png")
        for name in ("results.csv", "plan.json", PAGE, SUMMARY, TABLE):
            if (self.plan.folder / name).exists():
                self.client.log_artifact(self.sweep_run_id, str(self.plan.folder / name))
        if (self.plan.folder / FIGURES).is_dir():
            self.client.log_artifacts(self.sweep_run_id, str(self.plan.folder / FIGURES), FIGURES)
        self.client.set_tag(self.sweep_run_id, "mlflow.note.content", note)
        self._log(self.sweep_run_id, _counts(results), {})
        self._terminate(self.sweep_run_id, "FINISHED", time.time())

    def close(self) -> None:
        """Leave no run RUNNING: what is still open was interrupted, and the next start takes it up again."""
        for run_id in list(self._open):
            self._terminate(run_id, "KILLED", time.time())

    # ---- Finding and making runs.

    def _experiment(self, uri: str) -> str:
        name, plan = self.plan.name, self.plan
        found = self.client.get_experiment_by_name(name)
        if found is None:
            local = uri.startswith(("sqlite:", "file:"))
            location = (home() / "mlruns" / "artifacts" / name).as_uri() if local else None
            experiment_id = self.client.create_experiment(name, artifact_location=location)
        elif found.lifecycle_stage == "deleted":
            raise RuntimeError(
                f"the MLflow experiment {name!r} was deleted; restore it "
                f"(mlflow experiments restore --experiment-id {found.experiment_id}) or choose another name=…"
            )
        else:
            experiment_id = found.experiment_id
        there = found or self.client.get_experiment(experiment_id)
        note = EXPERIMENT_NOTE.format(
            n_cells=len(plan.cells), n_seeds=len(plan.seeds), command=plan.command, links=_links(plan, experiment_id)
        )
        tags = {"mlflow.note.content": note}
        # The menu has the newest on top.
        tags |= {view.tag: view.content(there.creation_time - i) for i, view in enumerate(views(plan))}
        for key, value in tags.items():
            if there.tags.get(key) != value:
                self.client.set_experiment_tag(experiment_id, key, value)
        return experiment_id

    def _find(self, kind: str) -> list[Run]:
        runs: list[Run] = []
        token = None
        while token is None or token:
            page = self.client.search_runs(
                [self.experiment_id], f"tags.kind = '{kind}'", ViewType.ALL, max_results=5000, page_token=token
            )
            runs += page
            token = page.token or ""
        return runs

    def _create(self, name: str, tags: dict[str, str], started: float) -> Run:
        run = self.client.create_run(self.experiment_id, _milliseconds(started), tags, name)
        self._open.add(run.info.run_id)
        return run

    def _reopen(self, run: Run) -> None:
        if run.info.run_id not in self._open:
            self._open.add(run.info.run_id)
            if run.info.status != "RUNNING":
                self.client.update_run(run.info.run_id, "RUNNING")

    def _terminate(self, run_id: str, status: str, ended: float) -> None:
        self.client.set_terminated(run_id, status, _milliseconds(ended))
        self._open.discard(run_id)

    def _delete(self, run: Run) -> None:
        if run.info.lifecycle_stage != "deleted":
            self.client.delete_run(run.info.run_id)

    def _sweep_run(self, known: list[Run]) -> str:
        live = [run for run in known if run.info.lifecycle_stage != "deleted"]
        if live:
            self._reopen(live[0])
            return live[0].info.run_id
        tags = {"kind": "sweep", "sweep": self.plan.name, **self._source()}
        return self._create(self.plan.name, tags, time.time()).info.run_id

    def _cell_run(self, cell: Cell, started: float) -> str:
        """Return the run of a cell with exactly the plan's seeds, making it if there is none."""
        if cell.key in self._current:
            return self._current[cell.key]
        seeds = _short_seeds(self.plan.seeds)
        same = [
            run
            for run in self._cells.get(cell.key, [])
            if run.data.tags["seeds"] == seeds and run.data.tags.get("replaced") != "true"
        ]
        if same:
            run = same[0]
            if run.info.status != "FINISHED" and run.info.lifecycle_stage != "deleted":
                self._reopen(run)
            self._current[cell.key] = run.info.run_id
            return run.info.run_id
        return self._new_cell_run(cell, started)

    def _new_cell_run(self, cell: Cell, started: float) -> str:
        tags = self._tags(cell, "cell") | {"cell_key": cell.key, "seeds": _short_seeds(self.plan.seeds)}
        tags["mlflow.runColor"] = COLOURS[self.plan.cells.index(cell) % len(COLOURS)]
        run = self._create(cell.name, tags | self._source(), started)
        self._cells.setdefault(cell.key, []).append(run)
        # The cell's earlier runs, and those that this plan leaves out, move to the new one.
        for key, seed_run in self._seed_runs.items():
            if key.startswith(f"{cell.key[:16]}-") and seed_run.info.lifecycle_stage != "deleted":
                self.client.set_tag(seed_run.info.run_id, "mlflow.parentRunId", run.info.run_id)
        self._current[cell.key] = run.info.run_id
        return run.info.run_id

    def _source(self) -> dict[str, str]:
        named = {"mlflow.source.name": self.plan.command, "mlflow.source.type": "LOCAL"}
        with suppress(OSError, KeyError):
            named["mlflow.user"] = getpass.getuser()
        return named | self._commit

    def _cell_note(self, results: CellResults) -> str:
        cell, metric = results.cell, MAIN_METRICS[results.cell.task]
        value = mean_and_interval(results, f"test/{metric}")
        order = "desc" if lower_is_better(metric) else "asc"
        query = {
            "searchFilter": f"tags.kind = 'run' and tags.cell = '{cell.name}'",
            "orderByKey": f"metrics.`final/test/{metric}`",
            "orderByAsc": str(order == "asc").lower(),
        }
        page = f"#/experiments/{self.experiment_id}/runs?{TRAINING}&{urlencode(query, quote_via=quote)}"
        return f"test {metric} {value} over {len(results.runs)} seeds. [Its seeds, the worst first]({page})"

    def _tags(self, cell: Cell, kind: str) -> dict[str, str]:
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

    def _log(self, run_id: str, metrics: list[Metric], params: dict[str, str]) -> None:
        """Log in one call where MLflow takes it, else in as few as it does."""
        entities = [Param(key, value[:6000]) for key, value in params.items()]
        room = BATCH - len(entities)
        self.client.log_batch(run_id, metrics[:room], entities)
        for start in range(room, len(metrics), BATCH):
            self.client.log_batch(run_id, metrics[start : start + BATCH])

    def _log_dataset(self, run_id: str, cell: Cell) -> None:
        info = json.loads((self.plan.folder / cell.folder / "cell.json").read_text())
        source = DATASETS[cell.settings["dataset"]["name"]].source
        dataset = Dataset(cell.dataset, info["digest"], "code", json.dumps({"source": source}))
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train and test")])])


def _links(plan: Plan, experiment_id: str) -> str:
    """Return links to the views of a sweep, in Markdown; they lead to whatever server shows them."""
    page = f"#/experiments/{experiment_id}/runs?{TRAINING}&viewStateShareKey="
    found = views(plan)
    names = [f"[{view.name}]({page}{view.key})" for view in found]
    curves = f"[{found[0].name.replace('losses', 'curves')}]({page}{found[0].key}&compareRunsMode=CHART)"
    return " · ".join([names[0], curves, *names[1:]])


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _short_seeds(seeds: list[int]) -> str:
    return str(len(seeds)) if seeds == list(range(len(seeds))) else ",".join(map(str, seeds))[:4000]


def _params(cell: Cell) -> dict[str, str]:
    """Return what a user sorts, filters and groups by: choices by their group's name, settings by their key."""
    params = {"dataset": cell.dataset, "loss": cell.loss, "head": cell.head}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for name, child in value.items():
                walk(child, f"{key}.{name}")
        elif key.endswith(".name"):
            params.setdefault(key.removesuffix(".name"), str(value))
        else:
            params[key] = str(value)

    for key in KEY_SETTINGS:
        walk(cell.settings[key], key)
    return params


def _aggregates(results: CellResults) -> dict[str, float]:
    values: dict[str, float] = {
        "runs": len(results.runs),
        "diverged": results.count(DIVERGED),
        "failed": results.count(FAILED),
        "stuck": results.n_stuck,
    }
    for name in dict.fromkeys(name for run in results.runs for name in run.info.scores):
        scores = results.working_scores(name)
        interval = mean_interval(scores)
        finite = scores[np.isfinite(scores)]
        values[f"final/{name}"] = interval.mean
        if interval.n > 1:
            values[f"final/{name}_std"] = float(finite.std(ddof=1))
            values[f"final/{name}_low"], values[f"final/{name}_high"] = interval.low, interval.high
    # The UI shows every digit that it is given; six are more than seeds determine.
    return {name: float(f"{value:.6g}") for name, value in values.items() if np.isfinite(value)}


def _counts(results: list[CellResults]) -> list[Metric]:
    """Return what the sweep run says: how many cells and runs there are, and what became of them."""
    runs = [run for result in results for run in result.runs]
    moment = _milliseconds(max((run.info.ended for run in runs), default=0.0))
    counts = {status: sum(run.info.status == status for run in runs) for status in (DIVERGED, FAILED)}
    counts |= {"cells": len(results), "runs": len(runs), "stuck": sum(run.info.stuck for run in runs)}
    return [Metric(name, count, moment, len(runs)) for name, count in counts.items()]


def _curve_metrics(results: CellResults, moment: int) -> list[Metric]:
    metrics = []
    names = dict.fromkeys(name for run in results.runs for name in run.curves)
    for name in names:
        epochs, matrix = curve_matrix(results, name)
        mean, low, high, _ = mean_intervals(matrix)
        for suffix, values in (("", mean), ("_low", low), ("_high", high)):
            metrics += [
                Metric(name + suffix, float(value), moment, int(epoch))
                for epoch, value in zip(epochs, values, strict=True)
                if np.isfinite(value)
            ]
    return metrics


def _commit() -> dict[str, str]:
    """Return tags that say which Python and which code wrote this."""
    tags = {"python": platform.python_version()}
    found = commit()
    return tags | ({"mlflow.source.git.commit": found["commit"], "dirty": found["dirty"]} if found else {})
