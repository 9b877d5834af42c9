"""What a run costs in MLflow's SQLite store: sent through ``MlflowClient``, and written directly.

    python benchmarks/tracking.py

It writes runs of 830 values in a temporary folder, each way in turn in one process. It prints medians for a run, by the
clock and of the processor.
"""

import os
import tempfile
import time
from statistics import median
from typing import Any

from lossbench.config.mlflow_environment import configure_mlflow

configure_mlflow()

from mlflow.entities import Metric  # noqa: E402

from lossbench.config.paths import default_store  # noqa: E402
from lossbench.tracking.experiment import Experiment  # noqa: E402
from lossbench.tracking.finished_run import FinishedRun, milliseconds  # noqa: E402

CURVES, EPOCHS, FINALS, TAGS, PARAMS = 4, 200, 30, 16, 30
ROUNDS, MANY = 12, 50


def finished_run(number: int) -> FinishedRun:
    """Return a run of the size of the tutorial's, which ends now."""
    moment = milliseconds(time.time())
    metrics = [Metric(f"curve_{c}", 1 / (e + number + c + 1), moment, e) for c in range(CURVES) for e in range(EPOCHS)]
    metrics += [Metric(f"final_{i}", 1 / (i + 1), moment, 0) for i in range(FINALS)]
    tags = {f"tag_{i}": f"circles/hinge/tanh {i}" for i in range(TAGS)}
    params = {f"param_{i}": f"value {i}" for i in range(PARAMS)}
    return FinishedRun(f"run {number}", tags, params, metrics, "FINISHED", number, number + 1)


def timed(experiment: Experiment, n_runs: int) -> tuple[float, float]:
    """Write runs together; return the milliseconds for each by the clock, and of the processor."""
    runs = [finished_run(i) for i in range(n_runs)]
    clock, processor = time.perf_counter(), time.process_time()
    experiment.add(runs)
    return 1e3 * (time.perf_counter() - clock) / n_runs, 1e3 * (time.process_time() - processor) / n_runs


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOSSBENCH_HOME"] = folder
        plan: Any = type("Plan", (), {"name": "cost", "command": "lossbench"})
        client, direct = (Experiment(plan, name, default_store()) for name in ("client", "direct"))
        client._direct = None
        ways = {
            "MlflowClient, one run after the other": (client, 1),
            "directly, each run a transaction": (direct, 1),
            f"directly, {MANY} runs a transaction": (direct, MANY),
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (experiment, n_runs) in ways.items():
                found[name].append(timed(experiment, n_runs))
    print(f"{'milliseconds for a run':40} {'clock':>7} {'processor':>10}")
    for name, times in found.items():
        print(f"{name:40} {median(t[0] for t in times):7.1f} {median(t[1] for t in times):10.1f}")


if __name__ == "__main__":
    main()
