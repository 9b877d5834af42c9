"""Is a loss times a constant the same loss? Tunes copies of a loss on 20 small tables and counts other verdicts.

    python benchmarks/copies.py                        (a quarter of an hour on two cores)
    python benchmarks/copies.py --tables diabetes-mse  (one of them)

Each table has 100 to 500 rows. It is a file, as a user's: the learning rate is tuned, and rows are judged in folds.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
from sklearn import datasets

FACTORS = (1, 0.1, 0.5, 2, 10)
SQUARED, ABSOLUTE = "mean_squared_error", "mean_absolute_error"
BINARY, CATEGORICAL = "binary_crossentropy", "categorical_crossentropy"
TARGET = "target"


def of_sklearn(name: str, n_rows: int) -> pd.DataFrame:
    """Return rows of a table that scikit-learn ships, drawn at random."""
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return frame.sample(min(n_rows, len(frame)), random_state=0)


def generated(name: str, n_rows: int, **settings: object) -> pd.DataFrame:
    """Return a table of a generator of scikit-learn."""
    x, y = getattr(datasets, f"make_{name}")(n_samples=n_rows, random_state=0, **settings)
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(**{TARGET: y})


TABLES = {
    "diabetes-mse": (SQUARED, lambda: of_sklearn("diabetes", 442)),
    "diabetes-mae": (ABSOLUTE, lambda: of_sklearn("diabetes", 442)),
    "diabetes-small-mse": (SQUARED, lambda: of_sklearn("diabetes", 120)),
    "diabetes-small-mae": (ABSOLUTE, lambda: of_sklearn("diabetes", 120)),
    "friedman1-mse": (SQUARED, lambda: generated("friedman1", 300, noise=1.0)),
    "friedman1-mae": (ABSOLUTE, lambda: generated("friedman1", 300, noise=1.0)),
    "friedman1-small-mae": (ABSOLUTE, lambda: generated("friedman1", 150, noise=1.0)),
    "friedman2-mse": (SQUARED, lambda: generated("friedman2", 200, noise=100.0)),
    "linear-mse": (SQUARED, lambda: generated("regression", 100, n_features=5, noise=50.0)),
    "linear-mae": (ABSOLUTE, lambda: generated("regression", 250, n_features=10, noise=50.0)),
    "sparse-mse": (SQUARED, lambda: generated("sparse_uncorrelated", 500)),
    "breast-cancer": (BINARY, lambda: of_sklearn("breast_cancer", 500)),
    "breast-cancer-small": (BINARY, lambda: of_sklearn("breast_cancer", 150)),
    "circles": (BINARY, lambda: generated("circles", 500, noise=0.1, factor=0.8)),
    "moons": (BINARY, lambda: generated("moons", 200, noise=0.3)),
    "overlap": (BINARY, lambda: generated("classification", 300, n_features=10, flip_y=0.1)),
    "iris": (CATEGORICAL, lambda: of_sklearn("iris", 150)),
    "wine": (CATEGORICAL, lambda: of_sklearn("wine", 178)),
    "blobs": (CATEGORICAL, lambda: generated("blobs", 300, cluster_std=4.0)),
    "gaussian-quantiles": (CATEGORICAL, lambda: generated("gaussian_quantiles", 400, n_features=4)),
}


def compared(folder: Path, name: str) -> pd.DataFrame:
    """Tune and compare a loss with its copies; return the comparison's rows of the main metric."""
    loss, make = TABLES[name]
    frame, path = make(), folder / f"{name}.csv"
    if loss in (BINARY, CATEGORICAL):
        frame[TARGET] = "class " + frame[TARGET].astype(int).astype(str)
    frame.to_csv(path, index=False)
    terms = ",".join(f"{{{loss}: {{weight: {factor}}}}}" for factor in FACTORS)
    words = [f"dataset.path={path}", f"dataset.target={TARGET}", "loss=composite", f"loss.terms={terms}"]
    words += [f"name={name}", "report.yardsticks=false", "tracking.enabled=false", "tracking.models=none"]
    command = [str(Path(sys.executable).parent / "lossbench"), "-m", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stdout[-800:]}{done.stderr[-800:]}")
    table = pd.read_csv(folder / "multirun" / name / "comparison.csv")
    return table[table["metric"].isin(["rmse", "accuracy"])]


def main(names: list[str]) -> None:
    verdicts: Counter[str] = Counter()
    furthest = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            found = compared(Path(temporary), name).set_index("verdict")
            counts = Counter(found.index.drop("baseline"))
            working = 1 - found["not_working"] / found["runs"]
            gap = (working - working["baseline"]).abs().max()
            said = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
            print(f"  {name:20}{said:32}share of runs that work, apart from the loss's: {gap:.2f}", flush=True)
            verdicts += counts
            furthest = max(furthest, gap)
    said = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
    print(f"{verdicts.total()} copies: {said}; share of runs that work, at most {furthest:.2f} apart")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=TABLES)
    main(parser.parse_args().tables)
