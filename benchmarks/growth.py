"""Sweeps of growing size: what a run, a cell, planning, the report and a second start cost.

`python benchmarks/growth.py` prints JSON; `--quick` has smaller sweeps. All runs train two epochs, so what is measured
is everything beside the training. Sweeps are the real command, MLflow's store and report included.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from measure import lossbench, run

# Learning rates and seeds of a sweep of five losses on circles.
SHAPES = {"quick": [(2, 10), (8, 10), (1, 80)], "full": [(20, 10), (200, 10), (1, 2000)]}
LOSSES = "binary_crossentropy,hinge,squared_hinge,mean_squared_error,mean_absolute_error"


def measured(n_rates: int, n_seeds: int) -> dict[str, Any]:
    """Run a sweep, plan it, report it and start it again, each as a command of its own."""
    rates = ",".join(f"{0.01 + 0.001 * i:.3f}" for i in range(n_rates))
    sweep = ["-m", "dataset=circles", f"loss={LOSSES}", f"optimizer.learning_rate={rates}", f"seeds={n_seeds}"]
    sweep += ["epochs=2", "name=growth"]
    with tempfile.TemporaryDirectory() as folder:
        planned = run(lossbench(*sweep, "plan=true"), folder)
        whole = run(lossbench(*sweep), folder)
        there = Path(folder) / "multirun" / "growth"
        (there / "report.json").unlink()
        report = run([f"{lossbench()[0]}-report", "growth"], folder)
        again = run(lossbench(*sweep), folder)
        n_cells, n_runs = map(int, re.findall(r"growth: (\d+) cells, (\d+) runs", whole.output)[0])
        return {
            "cells": n_cells,
            "runs": n_runs,
            "plan": planned.seconds,
            "whole": whole.seconds,
            "whole_cpu": whole.cpu_seconds,
            "report": report.seconds,
            "again": again.seconds,
            "peak_bytes": whole.peak_bytes,
            "report_bytes": (there / "report.html").stat().st_size,
            "results_bytes": sum(path.stat().st_size for path in there.rglob("*") if path.is_file()),
            "store_bytes": (Path(folder) / "mlruns" / "mlflow.db").stat().st_size,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    shapes = SHAPES["quick" if parser.parse_args().quick else "full"]
    print(json.dumps({"sweeps": [measured(*shape) for shape in shapes]}))


if __name__ == "__main__":
    main()
