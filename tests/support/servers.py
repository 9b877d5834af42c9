"""A real MLflow server on this machine."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401
from support.commands import environment

STARTS_IN = 60
# docs/how-to/servers-and-clusters.md has the same.
AUTH = """\
[mlflow]
default_permission = READ
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mlflow_server(folder: Path, store: str = "", admin_password: str = "") -> Iterator[int]:
    """Run ``mlflow server`` while the block runs, on a store in a folder or at an address; yield its port.

    With a password of its user ``admin`` it asks for one (MLflow's basic-auth); its accounts are in the same database.
    """
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        store or f"sqlite:///{folder}/server.db",
        "--artifacts-destination",
        str(folder / "kept"),
    ]
    more = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    if admin_password:
        command += ["--app-name", "basic-auth"]
        settings = folder / "auth.ini"
        settings.write_text(f"{AUTH}database_uri = {store}\n", encoding="utf-8")
        more |= {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_AUTH_ADMIN_PASSWORD": admin_password}
        more["MLFLOW_FLASK_SERVER_SECRET_KEY"] = "of-this-test"
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(
            command, env=environment(folder, **more), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + STARTS_IN
        while True:
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                break
            time.sleep(0.1)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def create_account(port: int, admin_password: str, name: str, password: str) -> None:
    """Make an account on a server that asks for passwords, as its ``admin``."""
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow/users/create"
    token = base64.b64encode(f"admin:{admin_password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    content = json.dumps({"username": name, "password": password}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content, headers), timeout=STARTS_IN) as answer:
        assert answer.status == 200
