"""Environment variables that MLflow reads: its settings, and the address of its server, which may hold a secret.

A secret stays in the environment. What is kept on disk or shown is the address without it.
"""

import os
from urllib.parse import parse_qsl, unquote, urlsplit

from lossbench.ground.secrets import without_secrets, without_words

ADDRESS = "MLFLOW_TRACKING_URI"
# MLflow's own retries would wait minutes for a server that does not answer; progress bars would fill the log file.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # MLflow prints the address of each run on a server, to the standard output of whoever writes it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def configure_mlflow() -> None:
    """Set the variables that the user has not set. Call this before MLflow is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def kept_address(uri: str) -> str:
    """Return an address without its secrets; the whole one is put into the environment, for child processes too."""
    kept = without_secrets(uri)
    if kept != uri:
        os.environ[ADDRESS] = uri
    return kept


def whole_address(kept: str | None) -> str | None:
    """Return the address to connect to, with its secrets, given the kept one.

    Parameters
    ----------
    kept : str or None
        ``tracking.uri`` without secrets; None if the environment alone says which server.
    """
    given = os.environ.get(ADDRESS)
    return given if kept is None or (given and without_secrets(given) == kept) else kept


def said_by_mlflow(text: str) -> str:
    """Return a text of MLflow or its libraries, which may quote a part of the server's address, without secrets."""
    parts = urlsplit(os.environ.get(ADDRESS, ""))
    words = [value for _, value in parse_qsl(parts.query)] if parts.scheme not in ("sqlite", "file") else []
    words += [parts.password or "", unquote(parts.password or "")]
    return without_words(without_secrets(text), words)
