"""MLflow's server as ``lossbench-ui`` runs it: its first page is the newest sweep, not MLflow's pages for GenAI.

MLflow starts it by name (``mlflow server --app-name lossbench``; the entry point is in ``pyproject.toml``). All pages
of its UI are one file, to which a script is added. What a user has chosen in the browser stays.
"""

import json
import logging
import os
from pathlib import Path

from flask import Response
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.server import app as pages
from mlflow.server.fastapi_app import app

from lossbench.tracking.newest_sweep import first_address, newest_sweep

__all__ = ["app"]

# What the browser keeps of the UI's settings, where it has none yet: experiments are about trained models, the panel of
# the assistant stays closed, and the browser sends no usage data, as the server does not.
SETTINGS = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.assistant.panelOpen_v1": False,
    "mlflow.settings.telemetry.enabled_v1": False,
    "mlflow.telemetry.info.alert.dismissed_v1": True,
}
# An address without a page is the one that users type.
SCRIPT = """<script>
for (const [key, value] of Object.entries(%(settings)s))
  if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
if (["", "#", "#/"].includes(location.hash)) location.replace(%(first)s);
</script>"""
log = logging.getLogger(__name__)


def first_page() -> Response:
    """Return the file of the UI with the script that sets what it opens with."""
    assert pages.static_folder is not None, "MLflow's wheel has the UI"
    text = (Path(pages.static_folder) / "index.html").read_text(encoding="utf-8")
    # "<" could end the script.
    values = {"settings": json.dumps(SETTINGS), "first": json.dumps(_first_address()).replace("<", "\\u003c")}
    added = text.replace("<head>", f"<head>{SCRIPT % values}", 1)
    return Response(added, mimetype="text/html", headers={"Cache-Control": "no-cache"})


def _first_address() -> str:
    """Return the address of the newest sweep's first view; of the list of all if there is none."""
    try:
        client = MlflowClient(os.environ["MLFLOW_BACKEND_STORE_URI"])
        experiments = {found.name: found.experiment_id for found in client.search_experiments()}
        newest = newest_sweep(experiments)
        return first_address(newest, experiments[newest.name]) if newest else "/#/experiments"
    except (MlflowException, OSError, ValueError):
        log.exception("the newest sweep is not found")
        return "/#/experiments"


pages.view_functions["serve"] = first_page
