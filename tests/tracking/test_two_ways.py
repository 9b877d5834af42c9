"""Both ways of writing to MLflow leave the same behind: directly into SQLite, and through ``MlflowClient``."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from support.commands import BIN, environment, run

from lossbench.ground.run_ids import RunId
from lossbench.planning.plan import Plan, read_plan
from lossbench.results.part_files import DIVERGED, FAILED, part_path, read_run, write_part
from lossbench.tracking import direct_writer
from lossbench.tracking.curves import MOST_POINTS
from lossbench.tracking.process import synchronise

SWEEP = ["-m", "dataset=circles", "loss=bce,hinge", "tune=none,learning_rate", "epochs=3", "seeds=3", "name=small"]
SWEEP += ["tune.trials=4", "tune.batch=4", "tune.seeds=[1000,1001]", "tracking.models=all", "tracking.enabled=false"]
EXPERIMENTS = ("small", "small-tuning")
# Epochs of a run with longer curves than the charts show.
LONG = 1000
ODD = "<run circles/binary_crossentropy/sigmoid/seed=1>"
IDS = re.compile(r"m-[0-9a-f]{32}|[0-9a-f]{32}")
# What differs between any two writings: when it was written.
MOMENTS = re.compile(r"written \d{4}-\d\d-\d\d \d\d:\d\d")
WRITTEN = {"creation_timestamp", "creation_time", "last_updated_timestamp", "last_update_time", "creation_timestamp_ms"}
WRITTEN |= {"last_updated_timestamp_ms"}
BY_NAME = "attributes.run_name"
SEARCHES = [
    ("", [BY_NAME]),
    ("", ["metrics.`final/test/accuracy` DESC", BY_NAME]),
    ("", ["metrics.`final/test/accuracy`", BY_NAME]),
    ("", ["metrics.`train/loss` DESC", BY_NAME]),
    ("", ["params.loss DESC", "tags.seed DESC", BY_NAME]),
    ("", ["attributes.start_time", BY_NAME]),
    ("metrics.`final/test/accuracy` > 0.45", ["attributes.end_time DESC", BY_NAME]),
    ("metrics.`train/loss` < 0.7", [BY_NAME]),
    ("metrics.diverged_epoch >= 1", [BY_NAME]),
    ("params.loss = 'hinge' and params.seed = '2'", [BY_NAME]),
    ("tags.status = 'diverged'", [BY_NAME]),
    ("tags.kind = 'trial' and metrics.learning_rate > 0.01", [BY_NAME]),
    ("attributes.status = 'FAILED'", [BY_NAME]),
    ("attributes.user_id = 'unknown' and attributes.run_name LIKE '%/seed=0'", [BY_NAME]),
    ("attributes.artifact_uri LIKE '%/artifacts'", [BY_NAME]),
    ("datasets.name = 'circles'", [BY_NAME]),
]


@dataclass(frozen=True)
class Store:
    """A store of MLflow with the results of the sweep."""

    home: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.home}/mlruns/mlflow.db"

    @cached_property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @cached_property
    def experiment_ids(self) -> list[str]:
        return [self.client.get_experiment_by_name(name).experiment_id for name in EXPERIMENTS]

    @cached_property
    def runs(self) -> dict[str, str]:
        """The id of each run by a name that is the same in every store."""
        found = self.client.search_runs(self.experiment_ids, run_view_type=ViewType.ALL)
        return {f"<{run.data.tags['kind']} {run.info.run_name}>": run.info.run_id for run in found}

    @cached_property
    def models(self) -> dict[str, str]:
        return {f"<{m.name}>": m.model_id for m in self.client.search_logged_models(self.experiment_ids)}

    def comparable(self, answer: Any) -> Any:
        """Return an answer with names for ids, and without this store's folder and the times of writing."""
        names = {own_id: name for name, own_id in (self.runs | self.models).items()}
        text = json.dumps(_without_moments(answer), default=lambda entity: entity.to_dictionary())
        text = MOMENTS.sub("", text.replace(str(self.home), "HOME"))
        return json.loads(IDS.sub(lambda found: names.get(found[0], "<id>"), text))


def _without_moments(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_without_moments(value) for value in answer]
    if not isinstance(answer, dict):
        return answer
    if answer.get("run_name") == "small":
        # The sweep's own run begins and ends with the process that writes it.
        answer = {key: value for key, value in answer.items() if key not in ("start_time", "end_time")}
    return {key: _without_moments(value) for key, value in answer.items() if key not in WRITTEN}


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> tuple[Store, Store]:
    """The results of one sweep, written directly and through the client."""
    home = tmp_path_factory.mktemp("results")
    assert run(home, *SWEEP).status == 0
    found = []
    for way, schemas in (("direct", direct_writer.KNOWN_SCHEMAS), ("client", set())):
        store = Store(tmp_path_factory.mktemp(way) / "home")
        shutil.copytree(home, store.home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOSSBENCH_HOME", str(store.home))
            # Into a store with an unknown schema everything goes through the client.
            patch.setattr(direct_writer, "KNOWN_SCHEMAS", schemas)
            plan = read_plan(store.home / "multirun" / "small")
            break_runs(plan)
            assert synchronise(plan) == ""
            assert (direct_writer.direct_writer(store.uri) is None) == (way == "client")
        found.append(store)
    return found[0], found[1]


def break_runs(plan: Plan) -> None:
    """Let a run of each untuned cell end badly: with infinities and NaN in long curves, and with an error."""
    first, second = (plan.folder / cell.folder for cell in plan.cells if not cell.is_tuned)
    odd, broken = read_run(part_path(first, RunId(1))), read_run(part_path(second, RunId(1)))
    values = np.linspace(2.0, 1.0, LONG)
    values[[7, 500, LONG - 2, LONG - 1]] = np.inf, -np.inf, np.inf, np.nan
    names = [name for name in odd.arrays if name.startswith("curve/")]
    curves = {"epochs": np.arange(1, LONG + 1)} | dict.fromkeys(names, values)
    scores, arrays = odd.info.scores | {"test/accuracy": float("nan")}, odd.arrays | curves
    for each in (odd, broken):
        each.path.unlink()
    write_part(first, replace(odd.info, status=DIVERGED, diverged_epoch=7, scores=scores), arrays)
    write_part(second, replace(broken.info, status=FAILED, error="MemoryError: no more", scores={}), {})


@contextmanager
def served(store: Store) -> Iterator[str]:
    """MLflow's server on a store, as ``lossbench-ui`` starts it; its address."""
    process = subprocess.Popen(
        [str(BIN / "lossbench-ui"), "--port", "0"],
        env=environment(store.home),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said = next(line for line in process.stdout if "http://" in line)
        yield re.search(r"http://127\.0\.0\.1:\d+", said)[0]
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)


def ask(address: str, path: str, **content: Any) -> Any:
    """Return the answer of MLflow's REST interface to a request, as JSON."""
    request = urllib.request.Request(f"{address}/ajax-api/2.0/mlflow/{path}")
    if content:
        request.data = json.dumps(content).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_the_schema_of_this_mlflow_is_one_that_is_written_directly():
    from mlflow.store.db.utils import _get_latest_schema_revision

    assert _get_latest_schema_revision() in direct_writer.KNOWN_SCHEMAS


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:9", "postgresql://localhost/mlflow", "file:///tmp/mlruns", "sqlite:///{folder}/other.db"],
)
def test_other_stores_are_not_written_directly(uri, tmp_path):
    assert direct_writer.direct_writer(uri.format(folder=tmp_path)) is None


def test_both_ways_write_the_same_runs(stores):
    direct, client = stores
    # A sweep, 4 cells of 3 runs, 2 studies with their trials.
    n_trials = len(list(direct.home.glob("multirun/*/*/study/trial=*.json")))
    assert n_trials >= 8
    assert len(direct.runs) == 1 + 4 + 12 + 2 + n_trials
    assert direct.runs.keys() == client.runs.keys()
    for name, run_id in direct.runs.items():
        ours, theirs = direct.client.get_run(run_id), client.client.get_run(client.runs[name])
        assert direct.comparable(_whole(ours)) == client.comparable(_whole(theirs)), name
        assert ours.info.artifact_uri.startswith(f"file://{direct.home}/mlruns/artifacts/small")
    assert direct.client.get_run(direct.runs[ODD]).data.metrics["train/loss"] != 0.0


def _whole(found) -> dict[str, Any]:
    inputs = [[d.dataset.to_dictionary(), [dict(t) for t in d.tags]] for d in found.inputs.dataset_inputs]
    outputs = [dict(output) for output in found.outputs.model_outputs]
    return found.to_dictionary() | {"inputs": inputs, "outputs": outputs}


def test_both_ways_write_the_same_histories(stores):
    direct, client = stores
    n_points = 0
    for name, run_id in direct.runs.items():
        other_id = client.runs[name]
        for metric in direct.client.get_run(run_id).data.metrics:
            ours, theirs = (_points(s, i, metric) for s, i in ((direct, run_id), (client, other_id)))
            assert ours == theirs, (name, metric)
            n_points += len(ours)
    assert n_points > 4 * MOST_POINTS


def _points(store: Store, run_id: str, metric: str) -> list[tuple[Any, ...]]:
    found = store.client.get_metric_history(run_id, metric)
    return [(repr(m.value), m.step, m.timestamp) for m in found]


def test_a_long_curve_has_as_many_points_as_the_charts_show_with_its_ends(stores):
    for store in stores:
        found = store.client.get_metric_history(store.runs[ODD], "train/loss")
        steps = sorted(metric.step for metric in found)
        assert (len(steps), steps[0], steps[-1]) == (MOST_POINTS, 1, LONG)
        assert max(np.diff(steps)) <= 4


@pytest.mark.parametrize(("condition", "order"), SEARCHES)
def test_both_ways_are_found_by_the_same_searches(stores, condition, order):
    found = [
        s.comparable([_whole(run) for run in s.client.search_runs(s.experiment_ids, condition, order_by=order)])
        for s in stores
    ]
    assert found[0] == found[1]
    assert found[0]


def test_both_ways_write_the_same_models(stores):
    direct, client = stores
    assert len(direct.models) == 4
    assert direct.models.keys() == client.models.keys()
    for name, model_id in direct.models.items():
        ours, theirs = direct.client.get_logged_model(model_id), client.client.get_logged_model(client.models[name])
        assert ours.metrics
        assert direct.comparable(ours.to_dictionary()) == client.comparable(theirs.to_dictionary())


def test_both_ways_write_the_same_rows(stores):
    """The tables themselves, but for the order of their rows."""
    ours, theirs = (_tables(store) for store in stores)
    assert ours.keys() == theirs.keys()
    for table, rows in ours.items():
        assert rows == theirs[table], table


def _tables(store: Store) -> dict[str, list[str]]:
    written = ("runs", "tags", "params", "metrics", "latest_metrics", "inputs", "input_tags", "datasets")
    found = {}
    with closing(sqlite3.connect(store.home / "mlruns" / "mlflow.db")) as db:
        db.row_factory = sqlite3.Row
        for table in written:
            rows = [dict(row) for row in db.execute(f"SELECT * FROM {table}")]
            if table == "runs":
                rows = [row | ({"start_time": 0, "end_time": 0} if row["name"] == "small" else {}) for row in rows]
            found[table] = sorted(json.dumps(row) for row in store.comparable(rows))
    return found


@pytest.mark.slow
def test_a_server_answers_the_same_for_both(stores):
    with served(stores[0]) as ours, served(stores[1]) as theirs:
        answers = [_answers(store, address) for store, address in zip(stores, (ours, theirs), strict=True)]
    assert answers[0].keys() == answers[1].keys()
    for question, answer in answers[0].items():
        assert answer == answers[1][question], question


def _answers(store: Store, address: str) -> dict[str, Any]:
    """Return what the UI asks about all runs, by the question."""
    found = {}
    for condition, order in SEARCHES:
        content = {"experiment_ids": store.experiment_ids, "filter": condition, "order_by": order, "max_results": 999}
        found[f"search {condition} {order}"] = ask(address, "runs/search", **content)
    models = {"experiment_ids": store.experiment_ids, "order_by": [{"field_name": "name"}]}
    found["models"] = ask(address, "logged-models/search", **models)
    for name, run_id in store.runs.items():
        one = found[f"run {name}"] = ask(address, f"runs/get?run_id={run_id}")
        for metric in one["run"]["data"].get("metrics", []):
            query = urlencode({"run_ids": run_id, "metric_key": metric["key"], "max_results": MOST_POINTS})
            key = f"{name} {metric['key']}"
            found[f"interval {key}"] = ask(address, f"metrics/get-history-bulk-interval?{query}")
            one_run = urlencode({"run_id": run_id, "metric_key": metric["key"]})
            found[f"history {key}"] = ask(address, f"metrics/get-history?{one_run}")
        found[f"artifacts {name}"] = ask(address, f"artifacts/list?run_id={run_id}")
    return {question: store.comparable(answer) for question, answer in found.items()}
