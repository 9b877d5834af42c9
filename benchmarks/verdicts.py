"""How far verdicts and intervals can be trusted: where nothing differs, on normal data, and on runs drawn again.

    lossbench experiment=tutorial seeds=1000 name=pool tracking.enabled=false     (minutes)
    python benchmarks/verdicts.py multirun/pool

A thousand runs of each cell stand for all runs there could be. Seeds are drawn from them, dead ones included; an
interval made from the drawn runs should hold the mean of the thousand.
"""

import sys
from pathlib import Path

import numpy as np

from lossbench.comparison import Sample, mean_intervals
from lossbench.findings.tables import baselines, sample
from lossbench.planning.plan import read_plan
from lossbench.results.cells import read_results

# The tests simulate the same tables.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.simulation import share_of_false_tables

N_DRAWS, N_TABLES = 4000, 2000


def coverage(values: np.ndarray, n_seeds: int, rng: np.random.Generator) -> float:
    """Return how often the interval of so many drawn values (of those that are finite) holds the mean of all."""
    drawn = values[rng.integers(0, len(values), size=(n_seeds, N_DRAWS))]
    _, low, high, n = mean_intervals(drawn)
    truth = np.nanmean(values)
    return float(((low <= truth) & (truth <= high))[n > 1].mean())


def simulate(rng: np.random.Generator) -> None:
    print(f"share of {N_TABLES} tables of 8 equal losses with a false better or worse")
    for n_seeds in (10, 30):
        share = share_of_false_tables(N_TABLES, n_seeds, 8, rng=rng)
        print(f"  {n_seeds} seeds  {share:.4f} ± {1.96 * (share * (1 - share) / N_TABLES) ** 0.5:.4f}")
    print(f"share of {10 * N_DRAWS} normal samples whose 95 % interval holds the true mean")
    for n_seeds in (10, 30):
        _, low, high, _ = mean_intervals(rng.normal(size=(n_seeds, 10 * N_DRAWS)))
        print(f"  {n_seeds} seeds  {np.mean((low <= 0) & (high >= 0)):.4f}")


def main(folder: Path) -> None:
    simulate(np.random.default_rng(0))
    plan = read_plan(folder)
    rng = np.random.default_rng(0)
    results = read_results(plan)
    print(f"share of {N_DRAWS} draws whose 95 % interval holds the mean of all {len(plan.seeds['seeds'])} runs")
    print(f"{'':46}{'10 seeds':>14}{'30 seeds':>16}")
    print(f"{'':44}{'working':>8}{'all':>8}{'working':>8}{'all':>8}  not")
    for data in dict.fromkeys(result.cell.data for result in results):
        cells = [result for result in results if result.cell.data == data]
        name = f"test/{cells[0].cell.metric}"
        samples = [sample(result, name, plan.runs(result.cell)) for result in cells]
        base = baselines([result.cell for result in cells], None)
        for i, (result, own) in enumerate(zip(cells, samples, strict=True)):
            row(f"{data}: {result.cell.label}", own.values, own.working, own, rng)
            if base[i] != i:
                other = samples[base[i]]
                row("  less the baseline", own.values - other.values, own.working - other.working, own, rng)


def row(label: str, values: np.ndarray, working: np.ndarray, own: Sample, rng: np.random.Generator) -> None:
    shares = [coverage(chosen, n, rng) for n in (10, 30) for chosen in (working, values)]
    print(f"{label:44}" + "".join(f"{share:8.3f}" for share in shares) + f"{(~own.works).mean():7.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
