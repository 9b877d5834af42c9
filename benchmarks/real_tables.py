"""Do verdicts hold on real tables? Cross-validates them anew, with other folds and on the two halves of large ones.

    pip install statsmodels                          (it ships six of the tables)
    python benchmarks/real_tables.py                 (a quarter of an hour on two cores)

A verdict is contradicted where other folds, or the other half of the rows, give the opposite one: better against worse.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

NUMBERS, CLASSES = "mse,mae,huber", "bce,mse,binary_focal_crossentropy"
SEVERAL = "cce,mse,categorical_focal_crossentropy"
# A table's target and its losses. The largest are judged by halves too.
TABLES = {
    "diabetes": ("target", NUMBERS),
    "breast_cancer": ("target", CLASSES),
    "wine": ("target", SEVERAL),
    "iris": ("target", SEVERAL),
    "fair": ("affairs", NUMBERS),
    "randhie": ("mdvis", NUMBERS),
    "engel": ("foodexp", NUMBERS),
    "anes96": ("vote", CLASSES),
    "star98": ("NABOVE", NUMBERS),
    "cancer": ("cancer", NUMBERS),
}
HALVED = ("fair", "randhie")
# So many rows of the largest, for the time it takes.
MOST_ROWS = 4000
SEEDS = 11


def frame_of(name: str) -> pd.DataFrame:
    """Return a table with its target, from scikit-learn or statsmodels."""
    if TABLES[name][0] == "target":
        return getattr(datasets, f"load_{name}")(as_frame=True).frame
    from statsmodels import api

    found = getattr(api.datasets, name).load_pandas().data
    return found if len(found) <= MOST_ROWS else found.sample(MOST_ROWS, random_state=0)


def verdicts(folder: Path, name: str, frame: pd.DataFrame, seeds: int) -> pd.DataFrame:
    """Return the verdict on each loss (columns) under each seed of the folds (rows)."""
    path, (target, losses) = folder / f"{name}.csv", TABLES[name.split("-")[0]]
    frame.to_csv(path, index=False)
    words = [f"dataset.path={path}", f"dataset.target={target}", f"loss={losses}", f"repeat.seed=range(0,{seeds})"]
    words += [
        "repeat=folds",
        "tune=none",
        "report.yardsticks=false",
        f"name={name}",
        "tracking.enabled=false",
        "tracking.models=none",
    ]
    command = [str(Path(sys.executable).parent / "lossbench"), "-m", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stdout[-800:]}{done.stderr[-800:]}")
    table = pd.read_csv(folder / "multirun" / name / "comparison.csv")
    main = table[table["metric"].isin(["rmse", "accuracy"]) & (table["verdict"] != "baseline")]
    return main.pivot_table(index="data", columns="loss", values="verdict", aggfunc="first")


def pairs(found: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield the verdict of the first row with that of each other row, for each loss."""
    for loss in found.columns:
        for other in found[loss].iloc[1:]:
            yield found[loss].iloc[0], other


def report(what: str, both: list[tuple[str, str]]) -> None:
    opposite = sum({first, other} == {"better", "worse"} for first, other in both)
    said = sum(first in ("better", "worse") for first, _ in both)
    print(
        f"{what}: {len(both)} pairs of verdicts, the first of them better or worse in {said}, contradicted {opposite}"
    )


def main(names: list[str], seeds: int) -> None:
    other_folds: list[tuple[str, str]] = []
    halves: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in names:
            frame = frame_of(name)
            found = verdicts(folder, name, frame, seeds)
            other_folds += pairs(found)
            for loss in found.columns:
                counts = ", ".join(f"{n} {verdict}" for verdict, n in found[loss].value_counts().items())
                print(f"  {name:14}{len(frame):6} rows  {loss:33}{counts}", flush=True)
            if name in HALVED:
                order = np.random.default_rng(0).permutation(len(frame))
                parts = [verdicts(folder, f"{name}-{i}", frame.iloc[order[i::2]], 1) for i in (0, 1)]
                halves += pairs(pd.concat(parts))
    report(f"seed 0 of the folds against {seeds - 1} others", other_folds)
    report("one half against the other", halves)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=TABLES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    main(given.tables, given.seeds)
