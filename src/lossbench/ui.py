"""The MLflow UI on the results that lie here, with links that open it where the answers are.

MLflow's server is a process of its own and is asked over HTTP, as the browser asks it: mlflow itself is not imported
(2 s). What a link shows (search, order, columns, charts) is a *saved view*: a tag of the experiment, which the UI also
lists in its menu Views.
"""

import argparse
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from lossbench.config import LOWER_IS_BETTER, MAIN_METRICS, home
from lossbench.errors import MissingEnvironmentError, Problem
from lossbench.plan import Plan, read_plan

HOST = "127.0.0.1"
# Port 5000, MLflow's own, is taken on macOS. Always the same one if it can be: the browser keeps the UI's settings by it.
PORT = 5050
START_SECONDS = 60.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.1
VIEW_TAG = "mlflow.sharedViewState."


def run(argv: list[str]) -> int:
    """Show the MLflow UI until it is interrupted; return the exit status."""
    parser = argparse.ArgumentParser("lossbench-ui", description="Browse the results in MLflow's UI, on this machine.")
    parser.add_argument("--port", type=int, help=f"the port to listen on; without it {PORT}, or a free one")
    parser.add_argument("--open", action="store_true", help="open the newest sweep in the browser")
    arguments = parser.parse_args(argv)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or default_uri()
    if uri.startswith(("http://", "https://")):
        print(f"MLFLOW_TRACKING_URI is a server, which has a UI of its own: {uri}")
        _show(_Client(uri.rstrip("/"), local=False), open_browser=arguments.open)
        return 0
    _check_store(uri)
    port = _port(arguments.port)
    # A closed terminal ends the server too.
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    with suppress(KeyboardInterrupt), _server(uri, port) as server:
        print(f"MLflow shows {uri}")
        _show(_Client(f"http://{HOST}:{port}", local=True), open_browser=arguments.open)
        print("Ctrl-C ends it.", flush=True)
        server.wait()
        raise _ended(server)
    return 0


# ---- The server.


def default_uri() -> str:
    """Return the store of this working directory."""
    return f"sqlite:///{home() / 'mlruns' / 'mlflow.db'}"


def _check_store(uri: str) -> None:
    """Raise if there is nothing to show: a server would create an empty store."""
    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).exists():
        named = "MLFLOW_TRACKING_URI" if "MLFLOW_TRACKING_URI" in os.environ else "LOSSBENCH_HOME"
        raise MissingEnvironmentError(
            Problem(
                f"there are no tracked results: no {path}.",
                f"run a sweep here first (make sweep), or set {named} to where your results are"
                + (" (the folder that has mlruns/)." if named == "LOSSBENCH_HOME" else "."),
            )
        )


def _port(chosen: int | None) -> int:
    """Return the chosen port if it is free; without a choice the usual one, or any that is free."""
    if chosen is not None:
        if not _is_free(chosen):
            raise MissingEnvironmentError(
                Problem(f"--port {chosen} cannot be used: it is taken, or not allowed.", "choose another, or none.")
            )
        return chosen
    if _is_free(PORT):
        return PORT
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections that were just closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


@contextmanager
def _server(uri: str, port: int) -> Iterator[subprocess.Popen]:
    """Run MLflow's server on a store, from when it answers until the block is left."""
    folder = home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "ui.log", "w") as log:
        process = subprocess.Popen(
            _command(uri, port),
            env=_environment(),
            # Python looks for modules in its working directory first: not among the user's.
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A session of its own: Ctrl-C is for this process, which then ends all of the server's.
            start_new_session=True,
        )
    try:
        _wait_for_answer(process, port)
        yield process
    finally:
        _stop(process)


def _command(uri: str, port: int) -> list[str]:
    # Not MLflow's default of allowed hosts: its patterns for private addresses match 10.evil.com.
    hosts = f"{HOST}:{port},localhost:{port}"
    artifacts = (home() / "mlruns" / "artifacts").as_uri()
    return [
        *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--default-artifact-root", artifacts),
        *("--no-serve-artifacts", "--host", HOST, "--port", str(port), "--allowed-hosts", hosts, "--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),
    ]


def _environment() -> dict[str, str]:
    """Return this environment without settings for other MLflow servers (one switches the check of hosts off)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
    return kept | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Otherwise ten more processes, for jobs of language models.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }


def _wait_for_answer(process: subprocess.Popen, port: int) -> None:
    client = _Client(f"http://{HOST}:{port}", local=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _ended(process)
        with suppress(OSError):
            client.get("/health")
            return
        time.sleep(POLL_SECONDS)
    raise MissingEnvironmentError(_failure(f"the MLflow server did not answer in {START_SECONDS:.0f} s."))


def _ended(process: subprocess.Popen) -> MissingEnvironmentError:
    return MissingEnvironmentError(_failure(f"the MLflow server ended with status {process.returncode}."))


def _failure(message: str) -> Problem:
    """Describe what happened to the server, with the last that it said."""
    log = home() / "mlruns" / "ui.log"
    said = "".join(f"\n    {line}" for line in log.read_text(errors="replace").splitlines()[-8:])
    return Problem(message, f"the end of {log}:{said}")


def _stop(process: subprocess.Popen) -> None:
    """End the server, all of its processes."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # From here on it takes a moment only; a second Ctrl-C would leave processes behind.
        signal.signal(name, signal.SIG_IGN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(POLL_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


# ---- What there is in it.


class _Client:
    """Asks an MLflow server."""

    def __init__(self, address: str, *, local: bool):
        import urllib.request

        self.address, self.local = address, local
        # A proxy is for other machines.
        proxies = urllib.request.ProxyHandler({}) if local else urllib.request.ProxyHandler()
        self._opener = urllib.request.build_opener(proxies)

    def get(self, path: str) -> bytes:
        with self._opener.open(f"{self.address}{path}", timeout=10) as answer:
            return answer.read()

    def post(self, path: str, **content: Any) -> dict[str, Any]:
        import urllib.request

        request = urllib.request.Request(
            f"{self.address}/api/2.0/mlflow/{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=10) as answer:
            return json.loads(answer.read())

    def runs(self, experiment_id: str, search: str) -> list[dict[str, Any]]:
        """Return the newest runs that a search finds, at most 100."""
        found = self.post("runs/search", experiment_ids=[experiment_id], filter=search, max_results=100)
        return found.get("runs", [])


def _show(client: _Client, *, open_browser: bool) -> None:
    """Print the links to the newest sweep, and open the first if asked to."""
    links = [("all sweeps", f"{client.address}/#/experiments?workflowType=machine_learning")]
    try:
        experiments = client.post("experiments/search", max_results=1000).get("experiments", [])
        newest = _newest_sweep({experiment["name"]: experiment for experiment in experiments})
        if newest is not None:
            links = _links(client, *newest) + links
    except OSError as error:
        print(f"links to the newest sweep cannot be given: {error}")
    width = max(len(name) for name, _ in links)
    for name, link in links:
        print(f"  {name:{width}}  {link}", flush=True)
    if open_browser:
        import webbrowser

        webbrowser.open(links[0][1])


def _newest_sweep(experiments: dict[str, dict[str, Any]]) -> tuple[Plan, dict[str, Any]] | None:
    """Return the plan that was written last of those that have an experiment there, and that experiment."""
    plans = [path for path in (home() / "multirun").glob("*/plan.json") if path.parent.name in experiments]
    for path in sorted(plans, key=lambda path: path.stat().st_mtime, reverse=True):
        # One that an earlier version wrote cannot always be read.
        with suppress(OSError, ValueError, TypeError, KeyError):
            return read_plan(path.parent), experiments[path.parent.name]
    return None


def _links(client: _Client, plan: Plan, experiment: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the links to a sweep, each with what it shows."""
    experiment_id = experiment["experiment_id"]
    runs = f"{client.address}/#/experiments/{experiment_id}/runs"
    views = _views(plan)
    if client.local:
        _save(client, experiment, views)
    saved = {tag["key"] for tag in experiment.get("tags", [])} | {view.tag for view in views if client.local}
    links = []
    for sweep in client.runs(experiment_id, "tags.kind = 'sweep'")[:1]:
        run_id = sweep["info"]["run_id"]
        links.append((f"{plan.name}: tables, figures", f"{runs}/{run_id}?workflowType=machine_learning"))
    for view in views:
        if view.always or client.runs(experiment_id, view.search):
            links.append((f"{plan.name}: {view.name}", f"{runs}?{view.query(saved=view.tag in saved)}"))
    charts = views[0].query(saved=views[0].tag in saved)
    links.insert(2, (f"{plan.name}: curves", f"{runs}?{charts}&compareRunsMode=CHART"))
    return links


# ---- Views.


@dataclass(frozen=True)
class _View:
    """What a page of an experiment shows.

    Attributes
    ----------
    key, name : str
        In the link, and in the UI's menu.
    search : str
        MLflow's search for the runs.
    order : str
        The column that sorts them.
    columns : list of str
        Shown, in this order.
    metrics : list of str
        Drawn, if it is looked at as charts.
    always : bool
        Whether it is worth a link when it is empty.
    """

    key: str
    name: str
    search: str
    order: str
    columns: list[str]
    metrics: list[str] = field(default_factory=list)
    ascending: bool = True
    group: str = ""
    always: bool = True

    @property
    def tag(self) -> str:
        return f"{VIEW_TAG}lossbench-{self.key}"

    def query(self, *, saved: bool) -> str:
        """Return the query of its link; if it is not saved there, columns and charts are the UI's own choice."""
        # The UI is for language models else.
        settings = {"workflowType": "machine_learning"}
        if saved:
            return urlencode(settings | {"viewStateShareKey": self.tag.removeprefix(VIEW_TAG)})
        order = {"orderByKey": self.order, "orderByAsc": str(self.ascending).lower()}
        return urlencode(settings | {"searchFilter": self.search} | order, quote_via=quote)

    def content(self, created: int) -> str:
        """Return what its tag holds."""
        charts, sections = _charts(self.metrics)
        group = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": self.group}]}
        state = {
            "searchFilter": self.search,
            "orderByKey": self.order,
            "orderByAsc": self.ascending,
            "startTime": "ALL",
            "lifecycleFilter": "Active",
            "datasetsFilter": [],
            "modelVersionFilter": "All Runs",
            "selectedColumns": self.columns,
            "columnOrder": ["attributes.`Run Name`", *self.columns, "runDateAndNestInfo", "duration"],
            "columnWidths": {"attributes.`Run Name`": 330} | {name: _width(name) for name in self.columns},
            "runsHiddenMode": "SHOW_ALL",
            "groupBy": group if self.group else None,
            "useGroupedValuesInCharts": False,
            "isAccordionReordered": True,
            "compareRunCharts": charts,
            "compareRunSections": sections,
        }
        # As the UI does: a tag has room for 5000 letters.
        packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
        return json.dumps({"name": self.name, "createdAt": created, "state": f"deflate;{packed}"})


def _views(plan: Plan) -> list[_View]:
    """Return the views of a sweep: its cells, those of each data set, and the seeds that something happened to."""
    datasets = list(dict.fromkeys(cell.dataset for cell in plan.cells))
    views = [_cells_view(plan, datasets)]
    if len(datasets) > 1:
        views += [_cells_view(plan, [dataset]) for dataset in datasets]
    metrics = list(dict.fromkeys(MAIN_METRICS[cell.task] for cell in plan.cells))
    columns = ["tags.`status`", "metrics.`diverged_epoch`", *(f"metrics.`final/test/{m}`" for m in metrics)]
    for key, name, search in (
        ("diverged", "diverged or failed seeds", "tags.status != 'finished'"),
        ("stuck", "stuck seeds", "tags.stuck = 'true'"),
    ):
        search = f"tags.kind = 'run' and {search}"
        views.append(_View(key, name, search, "tags.`cell`", [*columns, "tags.`error`"], metrics, always=False))
    return views


def _cells_view(plan: Plan, datasets: list[str]) -> _View:
    cells = [cell for cell in plan.cells if cell.dataset in datasets]
    metrics = list(dict.fromkeys(MAIN_METRICS[cell.task] for cell in cells))
    several = len(datasets) > 1
    parts = [""] if several else ["", "_std", "_low", "_high"]
    columns = [f"metrics.`final/test/{metric}{part}`" for metric in metrics for part in parts]
    columns += [f"metrics.`{count}`" for count in ("runs", "diverged", "stuck", "failed")]
    columns += [f"params.`{key}`" for key in dict.fromkeys(key for cell in cells for key in cell.swept)]
    one = len({cell.dataset for cell in plan.cells}) == 1
    return _View(
        key="cells" if several or one else f"cells-{datasets[0]}",
        name="losses on all data sets" if several else f"losses on {datasets[0]}",
        search="tags.kind = 'cell'" + ("" if several else f" and params.dataset = '{datasets[0]}'"),
        order=f"metrics.`final/test/{metrics[0]}`",
        ascending=metrics[0] in LOWER_IS_BETTER,
        columns=columns,
        metrics=metrics,
        group="dataset" if several else "",
    )


def _width(column: str) -> int:
    """Return the width in pixels that shows a column's heading whole."""
    return max(90, 45 + 7 * len(column.split("`")[1]))


def _charts(metrics: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the charts, and the sections that they stand in; the others, which the UI adds, stay folded."""
    curves = [f"{split}/{metric}" for metric in (*metrics, "loss") for split in ("test", "train")]
    charts = [_line("curves", [curve]) for curve in curves]
    charts += [_line("intervals", [f"test/{metric}_low", f"test/{metric}_high"]) for metric in metrics]
    charts += [_bar("final", f"final/test/{metric}") for metric in metrics]
    sections = [
        _section("curves", "Curves: mean over seeds"),
        _section("intervals", "95 % interval of the mean over seeds, low and high"),
        _section("final", "After training: mean over seeds"),
    ]
    others = ("test", "train", "final/test", "final/train", "naive/test", "naive/train", "")
    return charts, sections + [_section(f"other-{name}", name, display=False) for name in others]


def _line(section: str, metrics: list[str]) -> dict[str, Any]:
    return {
        **_chart("LINE", section, metrics[0]),
        "selectedMetricKeys": metrics,
        "lineSmoothness": 0,
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "range": {},
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _bar(section: str, metric: str) -> dict[str, Any]:
    return _chart("BAR", section, metric)


def _chart(kind: str, section: str, metric: str) -> dict[str, Any]:
    identity = {"uuid": f"{section}-{metric}", "type": kind, "metricSectionId": section, "metricKey": metric}
    return identity | {"deleted": False, "isGenerated": False, "runsCountToCompare": 100}


def _section(key: str, name: str, *, display: bool = True) -> dict[str, Any]:
    identity = {"uuid": key, "name": name, "display": display, "columns": 2, "cardHeight": 360}
    return identity | {"deleted": False, "isGenerated": not display, "isReordered": False}


def _save(client: _Client, experiment: dict[str, Any], views: list[_View]) -> None:
    """Write the views that are not there yet as they are now."""
    there = {tag["key"]: tag["value"] for tag in experiment.get("tags", [])}
    for i, view in enumerate(views):
        # The menu shows the newest first; times of their own would make them new at every start.
        content = view.content(int(experiment["creation_time"]) - i)
        if there.get(view.tag) != content:
            with suppress(OSError):
                client.post(
                    "experiments/set-experiment-tag",
                    experiment_id=experiment["experiment_id"],
                    key=view.tag,
                    value=content,
                )
