"""Large data: an epoch of lossbench's compiled program against one of Model.fit, and the memory that each takes.

`python benchmarks/large.py` prints JSON; `--quick` has a tenth of the rows. Both train the same network on the same
rows in batches of 32, in a process of their own each, and evaluate the training and the test split after the epoch.
Memory is the most that the process held while it trained, less what it held before it had the data.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import run, script

# Rows, features and classes (none: numbers), and the settings beside the path.
CASES = {
    "1,000,000 x 20": (1_000_000, 20, 0, ["loss=mean_squared_error"]),
    "100,000 x 50": (100_000, 50, 3, ["loss=categorical_crossentropy"]),
    "10,000 pictures of 28 x 28": (10_000, 784, 10, ["loss=categorical_crossentropy", "model=cnn"]),
}
TRAINERS = ("compiled", "fit")


def write_data(path: Path, n_rows: int, n_features: int, n_classes: int) -> None:
    """Write arrays of random features, from which the target can be learned."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_rows, n_features)).astype(np.float32)
    score = x[:, :3].sum(axis=1) + 0.1 * rng.normal(size=n_rows)
    y = score if not n_classes else np.digitize(score, np.quantile(score, np.linspace(0, 1, n_classes + 1)[1:-1]))
    np.savez(path, x=x.reshape(-1, 28, 28) if n_features == 784 else x, y=y)


def train(path: str, trainer: str, settings: list[str]) -> dict[str, float]:
    """Train an epoch in this process; return the seconds of the second call, and the bytes."""
    from lossbench.ground.run_ids import RunId
    from lossbench.jobs.prepare import PreparedCell
    from lossbench.planning.command_line import read_overrides
    from lossbench.planning.planner import make_plan
    from lossbench.training.trainers import TRAIN

    given = [f"dataset.path={path}", "repeat=seeds", "tune=none", "epochs=1", f"trainer={trainer}", *settings]
    (cell,) = make_plan(read_overrides(given, multirun=False), "large.py").cells
    before = _peak()
    run_of = PreparedCell(cell).run(RunId(0))
    data = run_of.data
    n_bytes = sum(a.nbytes for part in (data.x, data.y, data.target) for a in part.values())
    prepared = run_of.cell
    # The first call compiles, and calls of fit trace.
    for seed in range(2):
        started = time.perf_counter()
        TRAIN[trainer](prepared.structure, data, prepared.hyperparameters, seed)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": _peak() - before, "data_bytes": n_bytes}


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        path, trainer, *settings = options.only
        print(json.dumps(train(path, trainer, settings)))
        return
    found = []
    for name, (n_rows, *shape, settings) in CASES.items():
        n = n_rows // 10 if options.quick else n_rows
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.npz"
            write_data(path, n, *shape)
            for trainer in TRAINERS:
                print(f"  {name}, {trainer}", file=sys.stderr)
                command = [*script("large.py"), "--only", str(path), trainer, *settings]
                own = json.loads(run(command, folder).output.strip().splitlines()[-1])
                found.append({"data": name, "rows": n, "trainer": trainer, **own})
    print(json.dumps({"trainings": found}))


if __name__ == "__main__":
    main()
