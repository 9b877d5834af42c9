"""How often the report's intervals hold what they should, on runs of the tutorial drawn again and again.

    lossbench experiment=tutorial seeds=1000 name=pool tracking.enabled=false     (minutes)
    python benchmarks/coverage.py multirun/pool

A thousand runs of each cell stand for all runs there could be. Seeds are drawn from them, dead ones included; an
interval made from the drawn runs should hold the mean of the thousand.
"""

import sys
from pathlib import Path

import numpy as np

from lossbench.comparison import Sample, mean_intervals
from lossbench.metrics.table import MAIN_METRICS
from lossbench.plan import read_plan
from lossbench.results import read_results
from lossbench.samples import baselines, sample

N_DRAWS = 4000


def coverage(values: np.ndarray, n_seeds: int, rng: np.random.Generator) -> float:
    """Return how often the interval of so many drawn values (of those that are finite) holds the mean of all."""
    drawn = values[rng.integers(0, len(values), size=(n_seeds, N_DRAWS))]
    _, low, high, n = mean_intervals(drawn)
    truth = np.nanmean(values)
    return float(((low <= truth) & (truth <= high))[n > 1].mean())


def main(folder: Path) -> None:
    plan = read_plan(folder)
    rng = np.random.default_rng(0)
    results = read_results(plan)
    print(f"share of {N_DRAWS} draws whose 95 % interval holds the mean of all {len(plan.seeds)} runs")
    print(f"{'':52}{'10 seeds':>16}{'30 seeds':>16}")
    print(f"{'':52}{'working':>8}{'all':>8}{'working':>8}{'all':>8}{'  not working':>13}")
    for data in dict.fromkeys(result.cell.data for result in results):
        cells = [result for result in results if result.cell.data == data]
        name = f"test/{MAIN_METRICS[cells[0].cell.task]}"
        samples = [sample(result, name, plan.seeds) for result in cells]
        for result, own in zip(cells, samples, strict=True):
            row(f"{data}: {result.cell.label}", own.values, own.working, own, rng)
        for i, j in baselines([result.cell for result in cells], None).items():
            if i != j:
                base, own = samples[j], samples[i]
                label = f"{data}: {cells[i].cell.label} less baseline"
                row(label, own.values - base.values, own.working - base.working, own, rng)


def row(label: str, values: np.ndarray, working: np.ndarray, own: Sample, rng: np.random.Generator) -> None:
    shares = [coverage(chosen, n, rng) for n in (10, 30) for chosen in (working, values)]
    print(f"{label[:52]:52}" + "".join(f"{share:8.3f}" for share in shares) + f"{(~own.works).mean():13.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
