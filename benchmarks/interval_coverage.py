"""Do intervals and verdicts hold on fresh data? Lossbench's own networks on fresh samples from four generators.

    python benchmarks/interval_coverage.py                     (half an hour on one core)
    python benchmarks/interval_coverage.py --samples 20        (minutes)

Every sample is judged by each design, and each statement by the truth of the population that it names. The seeds of a
sample stand for all seeds there could be: those of a statement are drawn from them with replacement, so that the mean
over all of them is the exact truth. In the same way the runs of all samples stand for all that the generator can give.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fresh_samples import FOLDS, N_FRESH, N_TEST, N_TRAIN, REPETITIONS, SEEDS_OF_FOLD, Runs, cell_of, kept

from lossbench.comparison import Comparison, Interval, Sample, compare, mean_interval
from lossbench.comparison.verdict import BETTER, WORSE, Statement
from lossbench.metrics.catalogue import lower_is_better
from lossbench.metrics.rows import step

# How often the seeds of a statement are drawn for each sample.
N_DRAWS = 10
# The baseline, a loss that differs from it, and one that hardly does.
BCE = "loss=binary_crossentropy"
OF_CLASSES = [BCE, "loss=mean_squared_error", f"{BCE} loss.label_smoothing=0.05"]
LOSSES = {
    "friedman1": ["loss=mean_squared_error", "loss=mean_absolute_error", "loss=huber"],
    "circles": OF_CLASSES,
    "moons": OF_CLASSES,
    "imbalanced": OF_CLASSES,
}
# What a design repeats, and what its statements are about.
THESE, NEW = "seeds: more of them, on these test rows", "seeds: the same training rows, new rows to predict"
ANOTHER, SAMPLES = "folds: another sample of this size", "samples: the generator"
STUDENT = "seeds, by Student's t on these rows, taken for another sample of this size"
DESIGNS = (THESE, NEW, ANOTHER, SAMPLES, STUDENT)


@dataclass(frozen=True)
class Outcome:
    """Whether a statement is right: one interval, and the verdict that goes with it.

    Attributes
    ----------
    holds : bool
        Whether the interval holds the truth.
    said, false : bool
        Whether the verdict is better or worse, and whether that is wrong: a truth closer to 0 than its own error
        counts as 0.
    half_width : float
    """

    holds: bool
    said: bool
    false: bool
    half_width: float


def outcome(interval: Interval, said: bool, truth: float, error: float) -> Outcome:
    right = abs(truth) > error and (interval.mean > 0) == (truth > 0)
    return Outcome(interval.low <= truth <= interval.high, said, said and not right, interval.half_width)


def of_statement(statement: Statement, truth: float, error: float) -> Outcome:
    return outcome(statement.difference, statement.verdict in (BETTER, WORSE), truth, error)


def drawn(runs: Runs, samples: np.ndarray | int, chosen: np.ndarray, metric: str) -> Sample:
    """Return chosen runs of one sample, with their test rows; or one run of each of several samples."""
    rows, works = runs.rows[samples, chosen], runs.works[samples, chosen]
    if isinstance(samples, int):
        return Sample(rows.mean(axis=1), works, rows=rows, n_rows=N_TEST, step=step(metric))
    return Sample(rows.mean(axis=1), works)


def in_folds(runs: Runs, sample: int) -> Sample:
    """Return the runs of a sample's folds; a run's fold is known by its place."""
    folds = np.arange(REPETITIONS * FOLDS).repeat(SEEDS_OF_FOLD)
    values = runs.rows[sample].mean(axis=1)
    return Sample(values, runs.works[sample], folds=folds, test_per_train=N_TEST / N_TRAIN)


def truths(base: Runs, candidate: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Return each sample's expected difference on its test rows and on new rows, over seeds with which both work."""
    both = base.works & candidate.works
    here, new = candidate.rows.mean(axis=2) - base.rows.mean(axis=2), candidate.fresh - base.fresh
    return np.mean(here, axis=1, where=both), np.mean(new, axis=1, where=both)


def outcomes(base: tuple[Runs, Runs], candidate: tuple[Runs, Runs], metric: str) -> dict[str, list[list[Outcome]]]:
    """Return, for each design, the outcomes of every sample."""
    rng = np.random.default_rng(0)
    (seeds, folds), (other_seeds, other_folds) = base, candidate
    n_samples, n_seeds = seeds.works.shape
    here, new = truths(seeds, other_seeds)
    truth, error = new.mean(), 1.96 * new.std(ddof=1) / n_samples**0.5
    found: dict[str, list[list[Outcome]]] = {design: [] for design in DESIGNS}

    def compared(first: Sample, second: Sample) -> Comparison:
        return compare(first, [second], margin=0.0, lower_is_better=lower_is_better(metric))[0]

    for i in range(n_samples):
        for design in DESIGNS:
            found[design].append([])
        for _ in range(N_DRAWS):
            chosen = rng.integers(0, n_seeds, n_seeds)
            runs = drawn(seeds, i, chosen, metric), drawn(other_seeds, i, chosen, metric)
            comparison = compared(*runs)
            found[THESE][-1].append(of_statement(comparison.on_these_rows, here[i], 0.0))
            unknown = 1.96 * (comparison.statement.tested.of_rows * N_TEST / N_FRESH) ** 0.5
            found[NEW][-1].append(of_statement(comparison.statement, new[i], unknown))
            student = mean_interval(runs[1].working - runs[0].working)
            found[STUDENT][-1].append(outcome(student, student.low * student.high > 0, truth, error))
            places = rng.integers(0, n_samples, n_seeds)
            comparison = compared(*(drawn(runs, places, chosen, metric) for runs in (seeds, other_seeds)))
            found[SAMPLES][-1].append(of_statement(comparison.statement, here.mean(), 0.0))
        comparison = compared(in_folds(folds, i), in_folds(other_folds, i))
        found[ANOTHER][-1].append(of_statement(comparison.statement, truth, error))
    return found


def line(of_samples: list[list[Outcome]]) -> str:
    """Return coverage, verdicts and half-width of a design, with 95 % errors over the samples."""
    columns = [f"{np.median([o.half_width for sample in of_samples for o in sample]):7.4f}"]
    for name in ("holds", "said", "false"):
        shares = np.array([np.mean([getattr(o, name) for o in sample]) for sample in of_samples])
        columns.append(f"{shares.mean():5.3f} ± {1.96 * shares.std(ddof=1) / len(shares) ** 0.5:.3f}")
    return " ".join(columns)


def main(n_samples: int, n_seeds: int, folder: Path | None) -> None:
    print(f"{n_samples} samples of {N_TRAIN} training and {N_TEST} test rows, {n_seeds} seeds")
    lines: dict[str, list[str]] = {design: [] for design in DESIGNS}
    for data, (baseline, *losses) in LOSSES.items():
        metric = cell_of(data, baseline, 1000).metric
        base = kept(folder, data, baseline, n_samples, n_seeds)
        for loss in losses:
            candidate = kept(folder, data, loss, n_samples, n_seeds)
            name = f"  {data}: {loss.removeprefix('loss=').replace(f'{BCE[5:]} loss.', '')}"
            truth = truths(base[0], candidate[0])[1].mean()
            for design, found in outcomes(base, candidate, metric).items():
                lines[design].append(f"{name:34}{truth:8.4f} {line(found)}")
    print("difference less the baseline: its truth; the interval: its half-width, how often it holds the truth;")
    print("how often it is said to be better or worse, and how often that is false")
    print(f"{'':34}{'truth':>8} {'±':>7} {'holds':>13} {'said':>13} {'false':>13}")
    for design, texts in lines.items():
        print(design, *texts, sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--keep", type=Path, help="folder for the runs, from which they are read the next time")
    given = parser.parse_args()
    main(given.samples, given.seeds, given.keep)
