"""What MLflow reads from the environment when it is imported."""

import os

# A server that is away must not hold a sweep for minutes, and a log is no place for a progress bar.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def configure_mlflow() -> None:
    """Set what the user has not set, before MLflow is imported."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
