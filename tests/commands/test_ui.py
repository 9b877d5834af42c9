"""``lossbench-ui``: MLflow's real server on a copy of a small sweep, asked as the browser asks it."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from support.browser import Browser
from support.commands import BIN, environment, run
from support.mlflow_store import mlflow_runs

STARTS_IN = 60
ENDS_IN = 10


def ask(address: str, path: str, *, headers: dict[str, str] | None = None, **content) -> tuple[int, bytes]:
    """Return the status and the body of an answer, errors included."""
    data = json.dumps(content).encode() if content else None
    request = urllib.request.Request(f"{address}{path}", data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def processes(text: str) -> list[str]:
    """Return the command lines of all processes that have a text in it."""
    listed = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if text in line and " mlflow" in line]


def start(home: Path, **more: str) -> subprocess.Popen:
    return subprocess.Popen(
        [str(BIN / "lossbench-ui"), "--port", "0"],
        env=environment(home, **more),
        # From anywhere: it is told by LOSSBENCH_HOME.
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@dataclass
class Interface:
    """The UI while it runs."""

    home: Path
    process: subprocess.Popen
    said: str

    @property
    def address(self) -> str:
        return re.search(r"http://127\.0\.0\.1:\d+", self.said)[0]

    @property
    def links(self) -> dict[str, str]:
        return dict(re.findall(r"^  (\S.*?) +(http\S+)$", self.said, re.MULTILINE))

    def api(self, path: str, **content) -> dict:
        status, body = ask(self.address, f"/api/2.0/mlflow/{path}", **content)
        assert status == 200, body
        return json.loads(body)

    def view(self, name: str) -> dict:
        """Return what the UI reads from the experiment's tag when a link is followed."""
        page, _, query = self.links[name].partition("?")
        key = parse_qs(query)["viewStateShareKey"][0]
        experiment = self.api(f"experiments/get?experiment_id={page.split('/')[-2]}")["experiment"]
        value = next(tag["value"] for tag in experiment["tags"] if tag["key"] == f"mlflow.sharedViewState.{key}")
        assert len(value) < 5000
        return json.loads(zlib.decompress(base64.b64decode(json.loads(value)["state"].removeprefix("deflate;"))))


@pytest.fixture(scope="module")
def interface(smoke, tmp_path_factory):
    home = tmp_path_factory.mktemp("ui") / "home with spaces"
    shutil.copytree(smoke.home, home)
    process = start(home)
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        yield Interface(home, process, said)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=ENDS_IN)


def test_the_server_answers_only_this_machine(interface):
    port = interface.address.split(":")[-1]
    assert ask(interface.address, "/health")[0] == 200
    assert ask(interface.address, "/")[0] == 200
    assert ask(interface.address, "/", headers={"Host": f"localhost:{port}"})[0] == 200
    for stranger in ("10.evil.com", f"10.evil.com:{port}", "192.168.0.1", f"evil.com:{port}"):
        assert ask(interface.address, "/", headers={"Host": stranger})[0] == 403, stranger


def test_the_server_listens_on_this_machines_own_address_only(interface):
    port = int(interface.address.split(":")[-1])
    listening = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            # The state of a socket that listens.
            if state == "0A" and int(address.split(":")[1], 16) == port:
                listening.append(address.split(":")[0])
    # 127.0.0.1 in the order of the processor's bytes.
    assert listening == [f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}"]


def test_a_page_of_another_site_can_change_and_read_nothing(interface):
    sweep = next(run["id"] for run in mlflow_runs(interface.home) if run["kind"] == "sweep")
    for origin in ("http://evil.com", "https://127.0.0.1.evil.com", "null"):
        for path in ("/api/2.0/mlflow/runs/delete", "/ajax-api/2.0/mlflow/runs/delete"):
            status, said = ask(interface.address, path, headers={"Origin": origin}, run_id=sweep)
            assert (status, said) == (403, b"Cross-origin request blocked")
        request = urllib.request.Request(f"{interface.address}/ajax-api/2.0/mlflow/runs/get?run_id={sweep}")
        request.add_header("Origin", origin)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            # A browser gives the page nothing of an answer without this header.
            assert answer.headers["Access-Control-Allow-Origin"] is None
    (stage,) = (run["stage"] for run in mlflow_runs(interface.home) if run["id"] == sweep)
    assert stage == "active"


OUT = "../" * 12


@pytest.mark.parametrize(
    "path",
    [
        "/get-artifact?run_uuid={run}&path={out}etc/passwd",
        "/get-artifact?run_uuid={run}&path=..%2F..%2F..%2F..%2F..%2Foutside.txt",
        "/get-artifact?run_uuid={run}&path=%252e%252e%252f%252e%252e%252f%252e%252e%252foutside.txt",
        "/get-artifact?run_uuid={run}&path=/etc/passwd",
        "/ajax-api/2.0/mlflow/artifacts/list?run_id={run}&path={out}etc",
        "/ajax-api/2.0/mlflow/get-artifact?run_uuid={run}&path={out}etc/passwd",
        "/api/2.0/mlflow-artifacts/artifacts/{out}etc/passwd",
        "/api/2.0/mlflow-artifacts/artifacts/..%2F..%2F..%2Fetc%2Fpasswd",
        "/static-files/{out}etc/passwd",
        "/static-files/..%2F..%2F..%2F..%2F..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    ],
)
def test_no_path_leads_out_of_the_artifacts(interface, path):
    (interface.home / "outside.txt").write_text("root: of others", encoding="utf-8")
    sweep = next(run["id"] for run in mlflow_runs(interface.home) if run["kind"] == "sweep")
    status, said = ask(interface.address, path.format(run=sweep, out=OUT))
    assert status >= 400, said
    assert b"root:" not in said
    assert b"passwd" not in said.replace(b"etc/passwd", b"")


def test_every_link_leads_to_the_newest_sweep(interface, smoke):
    experiment = interface.api("experiments/get-by-name?experiment_name=smoke")["experiment"]["experiment_id"]
    pages = [link for name, link in interface.links.items() if name != "all sweeps"]
    assert len(pages) >= 3
    assert all(f"/#/experiments/{experiment}/runs" in page for page in pages)
    sweep = next(run["id"] for run in mlflow_runs(smoke.home) if run["kind"] == "sweep")
    assert f"/runs/{sweep}?" in interface.links["tables and figures"]


def test_the_bare_address_is_the_newest_sweep_and_a_fresh_browser_is_set_to_trained_models(interface):
    _, body = ask(interface.address, "/")
    page = body.decode()
    first = next(iter(interface.links.values())).removeprefix(interface.address)
    assert f'location.replace("{first}")' in page
    assert page.index("localStorage") < page.index("static-files/static/js/main")
    assert '"mlflow.workflowType_v1": "machine_learning"' in page
    assert '"mlflow.settings.telemetry.enabled_v1": false' in page


@pytest.mark.slow
def test_a_fresh_browser_shows_the_answer_and_keeps_what_is_chosen(interface):
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")

    def shown(browser: Browser, address: str, wanted: str) -> str:
        browser.ask("Page.navigate", url=address)
        deadline = time.monotonic() + STARTS_IN
        while wanted not in (text := browser.run("document.body ? document.body.innerText : ''")):
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        return text

    with Browser() as browser:
        text = shown(browser, interface.address, "losses on all data sets")
        assert "On circles" in text
        assert "Welcome" not in text
        assert "Ask questions" not in text
        assert "viewStateShareKey=cells" in browser.run("location.href")
        # Another page is opened as it is asked for, and a choice of the user's stays.
        browser.run("localStorage.setItem('mlflow.workflowType_v1', JSON.stringify('genai'))")
        shown(browser, f"{interface.address}/?again#/experiments", "Experiments")
        assert browser.run("localStorage.getItem('mlflow.workflowType_v1')") == '"genai"'
        assert browser.run("location.hash").startswith("#/experiments")


def test_a_data_sets_view_lists_its_cells_with_the_best_first(interface, smoke):
    for dataset in dict.fromkeys(cell["name"].split("/")[0] for cell in smoke.plan["cells"]):
        view = interface.view(f"losses on {dataset}")
        order = f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"
        experiment = interface.api("experiments/get-by-name?experiment_name=smoke")["experiment"]["experiment_id"]
        search = {"experiment_ids": [experiment], "filter": view["searchFilter"], "order_by": [order]}
        found = interface.api("runs/search", **search)["runs"]
        names = [cell["name"] for cell in smoke.plan["cells"] if cell["name"].startswith(f"{dataset}/")]
        assert sorted(run["info"]["run_name"] for run in found) == sorted(names)
        metrics = [{m["key"]: m["value"] for m in run["data"]["metrics"]} for run in found]
        key = view["orderByKey"].split("`")[1]
        best = max if key.endswith("accuracy") else min
        assert metrics[0][key] == best(m[key] for m in metrics)
        # What it shows and draws is there.
        columns = [column.split("`")[1] for column in view["selectedColumns"] if column.startswith("metrics.")]
        drawn = [name for chart in view["compareRunCharts"] for name in chart.get("selectedMetricKeys", [])]
        assert set(columns + drawn) <= set(metrics[0])


def test_runs_that_went_wrong_have_a_link_only_if_there_are_any(interface, smoke):
    seeds = [run for run in mlflow_runs(smoke.home) if run["kind"] == "run" and run["stage"] == "active"]
    assert ("seeds: stuck" in interface.links) == any(run["stuck"] == "true" for run in seeds)
    assert ("seeds: diverged or failed" in interface.links) == any(run["status"] != "finished" for run in seeds)


def test_links_are_printed_for_a_server_of_the_users(interface):
    before = processes(str(interface.home))
    done = run(interface.home, command="lossbench-ui", MLFLOW_TRACKING_URI=interface.address)
    assert (done.status, done.err) == (0, "")
    for link in interface.links.values():
        assert link in done.out
    assert processes(str(interface.home)) == before


def test_a_server_that_does_not_answer_is_reported(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    done = run(tmp_path, command="lossbench-ui", MLFLOW_TRACKING_URI=address)
    assert done.status == 0
    assert address in done.out
    assert "refused" in done.out


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("SIGINT", "at once"),
        pytest.param("SIGINT", "when it answers", marks=pytest.mark.slow),
        ("SIGTERM", "when it answers"),
        ("SIGHUP", "at once"),
    ],
)
def test_a_signal_ends_the_ui_with_all_its_processes(interface, tmp_path, name, moment):
    home = tmp_path / "home"
    shutil.copytree(interface.home, home)
    process = start(home)
    deadline = time.monotonic() + STARTS_IN
    try:
        if moment == "at once":
            while not processes(str(home)) and time.monotonic() < deadline:
                time.sleep(0.02)
        else:
            while "Ctrl-C" not in process.stdout.readline() and time.monotonic() < deadline:
                pass
        assert processes(str(home))
    finally:
        os.killpg(process.pid, getattr(signal, name))
        _, err = process.communicate(timeout=ENDS_IN)
    assert (process.returncode, err) == (0, "")
    assert processes(str(home)) == []


def test_a_missing_store_is_an_error_with_its_path(tmp_path):
    done = run(tmp_path, command="lossbench-ui")
    assert done.status == 3
    assert done.err.startswith(f"error: there are no tracked results here: {tmp_path}/mlruns/mlflow.db")
    assert "LOSSBENCH_HOME" in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_an_error(tmp_path):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, "--port", str(taken.getsockname()[1]), command="lossbench-ui")
    assert done.status == 3
    assert done.err.startswith("error: --port must be free")


def test_a_server_that_cannot_start_is_an_error_with_its_log(tmp_path):
    (tmp_path / "mlruns").mkdir()
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as db:
        # A database, but not MLflow's.
        db.execute("CREATE TABLE experiments (mine TEXT)")
    done = run(tmp_path, "--port", "0", command="lossbench-ui")
    assert done.status == 3
    assert done.err.startswith("error: the MLflow server ended")
    assert "ui.log ends with:" in done.err
    assert processes(str(tmp_path)) == []


def test_the_ui_command_does_not_import_mlflow():
    heavy = {"mlflow", "tensorflow", "sklearn", "pandas"}
    code = f"import lossbench.commands.ui, sys; assert not {heavy} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
