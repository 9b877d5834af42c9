"""What may be said of a loss beside another: better, worse, equivalent, or that these runs do not tell."""

from dataclasses import dataclass, replace

import numpy as np

from lossbench.comparison.intervals import Interval, mean_interval
from lossbench.comparison.paired import detectable_difference, failures_p, holm, least_seeds, seeds_needed, sign_flip_p

BETTER, WORSE, EQUIVALENT, INCONCLUSIVE, NO_VERDICT = "better", "worse", "equivalent", "inconclusive", "too few seeds"
LEVEL = 0.05
# Fewer seeds cannot give a p value below 0.05; below ten, an interval rests on little.
LEAST_SEEDS, FEW_SEEDS = 6, 10


@dataclass(frozen=True)
class Sample:
    """A metric of one loss over seeds.

    Attributes
    ----------
    values : float array, shape (n_seeds,)
        NaN where a run has none.
    works : bool array, shape (n_seeds,)
        Whether the run is neither diverged nor stuck.
    missing : bool array, shape (n_seeds,), optional
        Whether there is no run of which that could be said; by default there are all.
    """

    values: np.ndarray
    works: np.ndarray
    missing: np.ndarray | None = None

    @property
    def there(self) -> np.ndarray:
        """Whether there is a run."""
        return np.ones(len(self.works), bool) if self.missing is None else ~self.missing

    @property
    def fails(self) -> np.ndarray:
        """Whether there is a run, and it is diverged or stuck."""
        return self.there & ~self.works

    @property
    def working(self) -> np.ndarray:
        """The values of the runs that work, NaN for the others."""
        return np.where(self.works, self.values, np.nan)


@dataclass(frozen=True)
class Comparison:
    """A candidate beside the baseline: differences are candidate less baseline, in the metric's unit.

    Attributes
    ----------
    difference : Interval
        Over the seeds with which both work.
    difference_of_all : float
        The mean over all seeds with which both have a value, stuck runs included.
    p, p_corrected : float
        Of the difference; corrected by Holm over the table.
    won : float
        The share of seeds with which the candidate is the better one; equal ones count half.
    detectable : float
        The difference that these seeds would have found in four tables of five.
    n_failing, n_baseline_failing : int
        Runs that do not work, of the seeds that both have.
    failures_p, failures_p_corrected : float
        Of the hypothesis that both fail equally often.
    margin : float
        A difference up to this does not matter.
    verdict : str
        Of all of it; ``by_value`` is that of the runs that work, ``by_failures`` of how often they do (or empty).
    seeds_needed : int or None
        For a verdict, if the difference is what it seems to be; None where very many would not do.
    """

    difference: Interval
    difference_of_all: float
    p: float
    won: float
    detectable: float
    n_failing: int
    n_baseline_failing: int
    failures_p: float
    margin: float
    seeds_needed: int | None
    p_corrected: float = float("nan")
    failures_p_corrected: float = float("nan")
    by_value: str = NO_VERDICT
    by_failures: str = ""
    verdict: str = NO_VERDICT

    @property
    def few_seeds(self) -> bool:
        """Whether the verdict rests on fewer seeds than it should."""
        return self.difference.n < FEW_SEEDS

    @property
    def conflict(self) -> bool:
        """Whether one is better where both work, and the other works more often."""
        return {self.by_value, self.by_failures} == {BETTER, WORSE}


def compare(
    baseline: Sample, candidates: list[Sample], *, margin: float, lower_is_better: bool, n_tests: int | None = None
) -> list[Comparison]:
    """Compare each candidate with the baseline, paired by seed.

    A verdict is ``equivalent`` if the 95 % t interval of the difference lies inside the margin; else ``better`` or
    ``worse`` if the sign-flip test, corrected by Holm over the table, gives p < 0.05; else ``inconclusive``. It is
    about the runs that work. Where the losses do not fail equally often, that is a second test of the same table.

    Parameters
    ----------
    baseline, candidates : Sample
        Over the same seeds.
    margin : float
        In the metric's unit; 0 leaves ``equivalent`` to runs that are equal.
    n_tests : int, optional
        How many comparisons to plan for in ``detectable`` and ``seeds_needed``; by default those made.
    """
    return compare_pairs(
        [(baseline, candidate) for candidate in candidates],
        margins=[margin] * len(candidates),
        lower_is_better=lower_is_better,
        n_tests=n_tests,
    )


def compare_pairs(
    pairs: list[tuple[Sample, Sample]], *, margins: list[float], lower_is_better: bool, n_tests: int | None = None
) -> list[Comparison]:
    """Compare (baseline, candidate) pairs of one table; see ``compare``."""
    n_tests = n_tests or max(1, len(pairs))
    drafts = [_draft(a, b, margin, lower_is_better, n_tests) for (a, b), margin in zip(pairs, margins, strict=True)]
    discordant = [sum(_only_one_fails(a, b)) for a, b in pairs]
    # A test that could not be significant whatever its outcome need not be corrected for (Tarone 1990).
    tested = [i for i, n in enumerate(discordant) if n >= LEAST_SEEDS]
    corrected = holm(np.array([draft.p for draft in drafts] + [drafts[i].failures_p for i in tested]))
    failures = dict(zip(tested, corrected[len(drafts) :], strict=True))
    return [
        _judged(replace(draft, p_corrected=float(p), failures_p_corrected=float(failures.get(i, 1.0))), lower_is_better)
        for i, (draft, p) in enumerate(zip(drafts, corrected[: len(drafts)], strict=True))
    ]


def _only_one_fails(a: Sample, b: Sample) -> tuple[int, int]:
    """Return with how many seeds only the one fails, and only the other, of those that both have."""
    return int((a.fails & b.works).sum()), int((a.works & b.fails).sum())


def _draft(baseline: Sample, candidate: Sample, margin: float, lower_is_better: bool, n_tests: int) -> Comparison:
    all_differences = candidate.values - baseline.values
    differences = candidate.working - baseline.working
    differences = differences[np.isfinite(differences)]
    finite = all_differences[np.isfinite(all_differences)]
    better = differences < 0 if lower_is_better else differences > 0
    return Comparison(
        difference=mean_interval(differences),
        difference_of_all=float(finite.mean()) if len(finite) else float("nan"),
        p=sign_flip_p(differences),
        won=float((better + 0.5 * (differences == 0)).mean()) if len(differences) else float("nan"),
        detectable=detectable_difference(differences, n_tests),
        n_failing=int((candidate.fails & baseline.there).sum()),
        n_baseline_failing=int((baseline.fails & candidate.there).sum()),
        failures_p=failures_p(*_only_one_fails(baseline, candidate)),
        margin=margin,
        seeds_needed=_needed(differences, margin, n_tests),
    )


def _needed(differences: np.ndarray, margin: float, n_tests: int) -> int | None:
    if len(differences) < LEAST_SEEDS:
        return least_seeds(n_tests)
    return seeds_needed(differences, margin, n_tests)


def _judged(draft: Comparison, lower_is_better: bool) -> Comparison:
    by_value = _by_value(draft, lower_is_better)
    by_failures = ""
    if draft.failures_p_corrected < LEVEL:
        by_failures = WORSE if draft.n_failing > draft.n_baseline_failing else BETTER
    verdict = by_failures or by_value
    if {by_value, by_failures} == {BETTER, WORSE}:
        verdict = INCONCLUSIVE
    return replace(draft, by_value=by_value, by_failures=by_failures, verdict=verdict)


def _by_value(draft: Comparison, lower_is_better: bool) -> str:
    difference = draft.difference
    if difference.n < LEAST_SEEDS:
        return NO_VERDICT
    if -draft.margin <= difference.low and difference.high <= draft.margin:
        return EQUIVALENT
    if draft.p_corrected < LEVEL:
        return BETTER if (difference.mean < 0) == lower_is_better else WORSE
    return INCONCLUSIVE


def best_group(samples: list[Sample], *, lower_is_better: bool) -> tuple[int | None, list[int]]:
    """Return the loss that is best by its mean, and all that these runs cannot tell from it.

    All pairs are tested and corrected together, so that the choice of the best by the same runs does no harm: the
    best of several equal ones always looks better than it is. Where there are too few seeds for that, so that no
    pair could be told apart whatever its runs, only the pairs with the best are.

    Returns
    -------
    best : int or None
        Its place in ``samples``; None where there is no value.
    group : list of int
        The places of the best and of those that are not significantly worse, nor fail significantly more often, best
        first.
    """
    means = np.array([mean_interval(sample.working).mean for sample in samples])
    order = [i for i in np.argsort(means if lower_is_better else -means, kind="stable") if np.isfinite(means[i])]
    if not order:
        return None, []

    def compared(pairs: list[tuple[int, int]]) -> list[Comparison]:
        both = [(samples[i], samples[j]) for i, j in pairs]
        return compare_pairs(both, margins=[0.0] * len(pairs), lower_is_better=lower_is_better)

    pairs = [(i, j) for place, i in enumerate(order) for j in order[place + 1 :]]
    enough = len(samples[0].values) >= least_seeds(max(1, len(pairs)))
    pairs = pairs if enough else [(order[0], j) for j in order[1:]]
    found = compared(pairs)
    best = _most_reliable(order, pairs, found)
    if not enough and best != order[0]:
        pairs = [(best, j) for j in order if j != best]
        found = compared(pairs)
    against = {}
    for (i, j), comparison in zip(pairs, found, strict=True):
        if i == best:
            against[j] = comparison.verdict
        elif j == best:
            against[i] = {BETTER: WORSE, WORSE: BETTER}.get(comparison.verdict, comparison.verdict)
    group = [best] + [i for i in order if i != best and against[i] != WORSE]
    return int(best), [int(i) for i in group]


def _most_reliable(order: list[int], pairs: list[tuple[int, int]], found: list[Comparison]) -> int:
    """Return the first of the order that no other one beats by failing less often."""
    beaten = {i for (i, _), comparison in zip(pairs, found, strict=True) if comparison.verdict == BETTER}
    return next((i for i in order if i not in beaten), order[0])
