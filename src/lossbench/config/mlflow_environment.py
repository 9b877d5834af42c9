"""Environment variables that MLflow reads when it is imported."""

import os

# MLflow's own retries would wait minutes for a server that does not answer; progress bars would fill the log file.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def configure_mlflow() -> None:
    """Set the variables that the user has not set. Call this before MLflow is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
