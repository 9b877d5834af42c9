"""``lossbench-ui``: runs the MLflow UI on the local results, with links to the newest sweep's views.

MLflow's server is a process of its own, which this command asks over HTTP as the browser does, because importing mlflow
takes 2 s. A link opens a view (search, order, columns, charts) that was saved with the results (``saved_views``).
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lossbench.config.paths import default_store, home
from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.secrets import without_secrets
from lossbench.planning.plan import Plan
from lossbench.tracking.local_store import store_problem
from lossbench.tracking.newest_sweep import address_of, newest_sweep
from lossbench.tracking.saved_views import CHARTS, TRAINING, views

HOST = "127.0.0.1"
# Not MLflow's port 5000, which macOS uses itself. Always the same one if it is free, because the browser keeps the
# user's settings of the UI by address and port.
PORT = 5050
START_SECONDS = 60.0
# The server ends 0.2 s after SIGTERM; the MLflow process that started it would take 3 s longer, and is killed instead.
STOP_SECONDS = 1.0
POLL_SECONDS = 0.1
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(argv: list[str]) -> int:
    """Show the MLflow UI until it is interrupted; return the exit status."""
    parser = argparse.ArgumentParser("lossbench-ui", description="Browse the results in MLflow's UI, on this machine.")
    parser.add_argument("--port", type=int, help=f"the port to listen on; without it {PORT}, or a free one")
    parser.add_argument("--open", action="store_true", help="open the newest sweep in the browser")
    arguments = parser.parse_args(argv)
    uri = _absolute(os.environ.get("MLFLOW_TRACKING_URI") or default_store())
    if uri.startswith(("http://", "https://")):
        print(f"MLFLOW_TRACKING_URI is a server, which shows its own UI: {without_secrets(uri)}")
        _show(_Client(uri, local=False), open_browser=arguments.open)
        return 0
    _check_store(uri)
    port = _port(arguments.port)
    # SIGHUP raises KeyboardInterrupt as Ctrl-C does, so that closing the terminal ends the server too.
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    print("starting the MLflow UI ...", flush=True)
    with suppress(KeyboardInterrupt), _server(uri, port) as server:
        client = _Client(f"http://{HOST}:{port}", local=True)
        print(f"MLflow UI on {unquote(without_secrets(uri).removeprefix('sqlite:///'))}: {client.address}")
        _show(client, open_browser=arguments.open)
        print("Ctrl-C ends it.", flush=True)
        server.wait()
        raise _ended(server)
    return 0


# ---- The server.


def _absolute(uri: str) -> str:
    """Return a store's address with an absolute path, because the server runs in another folder."""
    path = uri.removeprefix("sqlite:///")
    return uri if path == uri else f"sqlite:///{Path(path).absolute()}"


def _check_store(uri: str) -> None:
    """Raise an error if the store is a file that is damaged or not there; MLflow would create an empty one."""
    problem = store_problem(uri)
    if problem:
        raise MissingEnvironmentError(problem)
    path = unquote(uri.removeprefix("sqlite:///"))
    if path == uri or Path(path).exists():
        return
    message = f"there are no tracked results here: {path} does not exist."
    if os.environ.get("MLFLOW_TRACKING_URI"):
        raise MissingEnvironmentError(Problem(message, "MLFLOW_TRACKING_URI names it; is it right?"))
    hint = "run a sweep first (make sweep), or set LOSSBENCH_HOME to the folder that has your mlruns/."
    raise MissingEnvironmentError(Problem(message, hint))


def _port(chosen: int | None) -> int:
    """Return the chosen port if it is free; without a choice ``PORT``, or any free one if that is taken."""
    if chosen is None and _is_free(PORT):
        return PORT
    if not chosen:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return probe.getsockname()[1]
    if not _is_free(chosen):
        message = f"--port must be free; {chosen} is taken, or not allowed."
        raise MissingEnvironmentError(Problem(message, "leave it out, and a free one is found."))
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without this, connections that were closed a moment ago would still block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError):
            return False
    return True


@contextmanager
def _server(uri: str, port: int) -> Iterator[subprocess.Popen]:
    """Run MLflow's server on a store while the block runs; it answers when the block begins."""
    folder = home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    # MLflow's default list of allowed hosts is not safe: its patterns for private addresses match 10.evil.com.
    hosts = f"{HOST}:{port},localhost:{port}"
    # The app is ``tracking.ui_server``.
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--app-name", "lossbench"]
    command += ["--default-artifact-root", (folder / "artifacts").as_uri(), "--no-serve-artifacts"]
    command += ["--host", HOST, "--port", str(port), "--allowed-hosts", hosts, "--uvicorn-opts", "--log-level warning"]
    process = None
    try:
        with open(folder / "ui.log", "wb") as log, _uninterrupted():
            # In mlruns/, because Python would import modules from the user's folder first. In a session of its own, so
            # that Ctrl-C reaches this process only, which then ends the server's whole process group.
            process = subprocess.Popen(
                command,
                env=_environment(uri),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait_for_answer(process, port)
        yield process
    finally:
        if process is not None:
            _stop(process)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay interrupts until the block ends: one in the middle of a start would leave the server running."""
    came: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _environment(uri: str) -> dict[str, str]:
    """Return the environment without MLflow's variables, which are meant for other servers, but with the store's.

    One of them would switch the check of hosts off. The store's address may hold a password, which everyone could read
    in the list of processes if it were an argument.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
    # MLflow's jobs for language models would start ten more processes.
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # The server runs in another folder, and finds the newest sweep itself.
    own |= {"MLFLOW_BACKEND_STORE_URI": uri, "LOSSBENCH_HOME": str(home().absolute())}
    return kept | own | {"PYTHONWARNINGS": "ignore", "PYTHONUTF8": "1"}


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
    raise _failure(f"the MLflow server does not answer after {START_SECONDS:.0f} s.")


def _ended(process: subprocess.Popen) -> MissingEnvironmentError:
    return _failure(f"the MLflow server ended, with status {process.returncode}.")


def _failure(message: str) -> MissingEnvironmentError:
    """Return an error with the last lines of the server's log."""
    log = home() / "mlruns" / "ui.log"
    said = "".join(f"\n    {line}" for line in without_secrets(_text(log)).splitlines()[-8:])
    return MissingEnvironmentError(Problem(message, f"{log} ends with:{said or ' nothing'}"))


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _stop(process: subprocess.Popen) -> None:
    """End the server with its whole process group, which has the id of the process that was started."""
    for number in INTERRUPTS:
        # A second Ctrl-C while processes are ended would leave some of them running.
        signal.signal(number, signal.SIG_IGN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# ---- Links to the results in it.


class _Client:
    """A client of an MLflow server's REST interface."""

    def __init__(self, address: str, *, local: bool):
        parts = urlsplit(address)
        # urllib takes no user and password in an address; they go into a header, as MLflow sends them.
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if parts.username else {}
        self.address = without_secrets(address).rstrip("/")
        # A local server is not asked through the user's proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({} if local else None))

    def get(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", None, self._headers)
        with self._opener.open(request, timeout=10) as answer:
            return answer.read()

    def ask(self, path: str, **content: Any) -> dict[str, Any]:
        data, headers = json.dumps(content).encode(), {"Content-Type": "application/json", **self._headers}
        request = urllib.request.Request(f"{self.address}/api/2.0/mlflow/{path}", data, headers)
        with self._opener.open(request, timeout=10) as answer:
            return json.loads(answer.read())

    def runs(self, experiment_id: str, search: str) -> list[dict[str, Any]]:
        """Return a list with the newest run that a search finds; empty if it finds none."""
        found = self.ask("runs/search", experiment_ids=[experiment_id], filter=search, max_results=1)
        return found.get("runs", [])


def _show(client: _Client, *, open_browser: bool) -> None:
    """Print the links to the newest sweep's views, and open the first one if the user asked for it."""
    links = []
    try:
        experiments = client.ask("experiments/search", max_results=1000).get("experiments", [])
        by_name = {experiment["name"]: experiment for experiment in experiments}
        newest = newest_sweep(by_name)
        if newest is not None:
            print(f"{newest.name}:")
            links = _links(client, newest, by_name[newest.name])
    except (OSError, ValueError, KeyError) as error:
        print(f"there are no links to the newest sweep: {error}")
    links.append(("all sweeps", f"{client.address}/#/experiments"))
    width = max(len(name) for name, _ in links)
    for name, link in links:
        print(f"  {name:{width}}  {link}", flush=True)
    if open_browser:
        webbrowser.open(links[0][1])


def _links(client: _Client, plan: Plan, experiment: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and addresses of links to a sweep's views; views of runs are omitted if they would be empty."""
    experiment_id = experiment["experiment_id"]
    links = []
    for view in views(plan):
        if view.kind == "cell" or client.runs(experiment_id, view.search):
            link = f"{client.address}{address_of(view, experiment_id)}"
            links.append((view.name, link))
            if view.charts:
                links.append((view.name.replace("losses", "curves", 1), f"{link}&{CHARTS}"))
    for run in client.runs(experiment_id, "tags.kind = 'sweep'"):
        page = f"{client.address}/#/experiments/{experiment_id}/runs/{run['info']['run_id']}?{TRAINING}"
        links.append(("tables and figures", page))
    return links
