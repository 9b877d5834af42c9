"""What may be said of a loss beside another: better, worse, equivalent, or that these runs do not tell."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lossbench.comparison.failures import failures_p
from lossbench.comparison.intervals import Interval, mean_interval
from lossbench.comparison.mean_tests import Tested, fold_means, mean_of_runs, of_folds, of_new_rows, of_runs
from lossbench.comparison.multiple_testing import holm
from lossbench.comparison.power import LEAST_SEEDS, Needed, detectable_difference, needed

BETTER, WORSE, EQUIVALENT, INCONCLUSIVE, NO_VERDICT = "better", "worse", "equivalent", "inconclusive", "too few seeds"
LEVEL = 0.05
# Below ten seeds or folds, an interval rests on little; below five folds there is no verdict.
FEW_SEEDS, LEAST_FOLDS = 10, 5


@dataclass(frozen=True)
class Sample:
    """A metric of one loss over its runs.

    Attributes
    ----------
    values : float array, shape (n_runs,)
        NaN where a run has none.
    works : bool array, shape (n_runs,)
        Whether the run is neither diverged nor stuck.
    missing : bool array, shape (n_runs,), optional
        Whether there is no run of which that could be said; by default there are all.
    rows : float array, shape (n_runs, n_shown), optional
        What each test row contributes to a run's value: their mean is the value. The rows are the same for all runs.
        Of very many rows, some.
    n_rows : int
        All test rows; where there are folds, all rows.
    predictions : list of str, optional
        A digest of each run's predictions for the test rows.
    step : float
        What a row changes when it turns from wrong to right; 0 where errors are numbers.
    folds : int array, shape (n_runs,), optional
        The fold of each run, where runs are those of a cross-validation.
    test_per_train : float
        Test rows of a fold for each of its training rows.
    fresh : bool
        Whether each run has training and test rows of its own, drawn anew.
    """

    values: np.ndarray
    works: np.ndarray
    missing: np.ndarray | None = None
    rows: np.ndarray | None = None
    n_rows: int = 0
    predictions: list[str] | None = None
    step: float = 0.0
    folds: np.ndarray | None = None
    test_per_train: float = 0.0
    fresh: bool = False

    @property
    def there(self) -> np.ndarray:
        """Whether there is a run."""
        return np.ones(len(self.works), bool) if self.missing is None else ~self.missing

    @property
    def fails(self) -> np.ndarray:
        """Whether there is a run, and it is diverged or stuck."""
        return self.there & ~self.works

    @property
    def interval(self) -> Interval:
        """The mean over the runs that work, with its 95 % interval; ``n`` counts these runs."""
        return mean_of_runs(self.working, self.folds, self.test_per_train)

    @property
    def working(self) -> np.ndarray:
        """The values of the runs that work, NaN for the others."""
        return np.where(self.works, self.values, np.nan)


@dataclass(frozen=True)
class Statement:
    """A mean difference, and what is said of it, about one population.

    Attributes
    ----------
    tested : Tested
        The difference with its interval and its p value.
    p_corrected : float
        By Holm over the table.
    by_value : str
        The verdict on the runs that work.
    verdict : str
        The same with how often the losses fail.
    """

    tested: Tested
    p_corrected: float = float("nan")
    by_value: str = NO_VERDICT
    verdict: str = NO_VERDICT

    @property
    def difference(self) -> Interval:
        """The mean difference with its interval."""
        return self.tested.interval


@dataclass(frozen=True)
class Comparison:
    """A candidate beside the baseline: differences are candidate less baseline, in the metric's unit.

    Attributes
    ----------
    statement : Statement
        What the verdict rests on: about new data where the runs allow it (new rows to predict, another sample), else
        about these test rows.
    on_these_rows : Statement or None
        About more seeds on the same training and test rows; None where runs have different ones.
    difference_of_all : float
        The mean over all runs with which both have a value, stuck runs included.
    won : float
        The share of seeds with which the candidate is the better one; equal ones count half.
    detectable : float
        The difference that such runs would find in four tables of five.
    n_failing, n_baseline_failing : int
        Runs that do not work, of those that both have.
    failures_p, failures_p_corrected : float
        Of the hypothesis that both fail equally often.
    margin : float
        A difference up to this does not matter.
    n_tests, n_rows, least, in_folds
        What ``needed`` asks for.
    by_failures : str
        The verdict on how often they work; empty where nothing is to be said of it.
    """

    statement: Statement
    on_these_rows: Statement | None
    difference_of_all: float
    won: float
    detectable: float
    n_failing: int
    n_baseline_failing: int
    failures_p: float
    margin: float
    n_tests: int
    n_rows: int
    least: int
    in_folds: bool
    failures_p_corrected: float = float("nan")
    by_failures: str = ""

    @property
    def difference(self) -> Interval:
        """The mean difference, with the interval that the verdict rests on."""
        return self.statement.difference

    @property
    def p(self) -> float:
        """The p value that the verdict rests on."""
        return self.statement.tested.p

    @property
    def p_corrected(self) -> float:
        """The same, corrected by Holm over the table."""
        return self.statement.p_corrected

    @property
    def by_value(self) -> str:
        """The verdict on the runs that work."""
        return self.statement.by_value

    @property
    def verdict(self) -> str:
        """The verdict."""
        return self.statement.verdict

    @cached_property
    def needed(self) -> Needed:
        """The seeds, or the test rows, that would do for a verdict if the difference is what it seems to be."""
        return needed(
            self.statement.tested,
            self.margin,
            self.n_tests,
            n_rows=self.n_rows,
            least=self.least,
            in_folds=self.in_folds,
        )

    @property
    def few_seeds(self) -> bool:
        """Whether the verdict rests on fewer seeds or folds than it should."""
        return self.difference.n < FEW_SEEDS

    @property
    def conflict(self) -> bool:
        """Whether one is better where both work, and the other works more often."""
        return {self.by_value, self.by_failures} == {BETTER, WORSE}


def compare(
    baseline: Sample, candidates: list[Sample], *, margin: float, lower_is_better: bool, n_tests: int | None = None
) -> list[Comparison]:
    """Compare each candidate with the baseline, paired by seed.

    A verdict is ``equivalent`` if the 95 % interval of the difference lies inside the margin; else ``better`` or
    ``worse`` if the test of the mean, corrected by Holm over the table, gives p < 0.05; else ``inconclusive``. It is
    about the runs that work. Where the losses do not fail equally often, that is a second test of the same table.
    Samples with test rows give a verdict about new rows and one about these, samples with folds one about another
    sample; see ``mean_tests``.

    Parameters
    ----------
    baseline, candidates : Sample
        Over the same runs.
    margin : float
        In the metric's unit; 0 leaves ``equivalent`` to runs that are equal.
    n_tests : int, optional
        How many comparisons to plan for in ``detectable`` and ``needed``; by default those made.
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
    least = LEAST_FOLDS if pairs and pairs[0][0].folds is not None else LEAST_SEEDS
    drafts = [
        _draft(a, b, margin, lower_is_better, n_tests, least) for (a, b), margin in zip(pairs, margins, strict=True)
    ]
    discordant = [sum(_only_one_fails(a, b)) for a, b in pairs]
    # A test that could not be significant whatever its outcome need not be corrected for (Tarone 1990).
    tested = [i for i, n in enumerate(discordant) if n >= LEAST_SEEDS]
    corrected = holm(np.array([draft.p for draft in drafts] + [drafts[i].failures_p for i in tested]))
    here = holm(np.array([draft.on_these_rows.tested.p if draft.on_these_rows else 1.0 for draft in drafts]))
    failures = dict(zip(tested, corrected[len(drafts) :], strict=True))
    return [
        _judged(draft, float(corrected[i]), float(here[i]), float(failures.get(i, 1.0)), lower_is_better, least)
        for i, draft in enumerate(drafts)
    ]


def _only_one_fails(a: Sample, b: Sample) -> tuple[int, int]:
    """Return with how many seeds only the one fails, and only the other, of those that both have."""
    return int((a.fails & b.works).sum()), int((a.works & b.fails).sum())


def _draft(
    baseline: Sample, candidate: Sample, margin: float, lower_is_better: bool, n_tests: int, least: int
) -> Comparison:
    all_differences = candidate.values - baseline.values
    both = np.isfinite(candidate.working) & np.isfinite(baseline.working)
    differences = all_differences[both]
    finite = all_differences[np.isfinite(all_differences)]
    better = differences < 0 if lower_is_better else differences > 0
    here, elsewhere = _tested(baseline, candidate, both)
    tested = elsewhere or here
    assert tested is not None
    return Comparison(
        statement=Statement(tested),
        on_these_rows=Statement(here) if here else None,
        difference_of_all=float(finite.mean()) if len(finite) else float("nan"),
        won=float((better + 0.5 * (differences == 0)).mean()) if len(differences) else float("nan"),
        detectable=detectable_difference(tested, n_tests),
        n_failing=int((candidate.fails & baseline.there).sum()),
        n_baseline_failing=int((baseline.fails & candidate.there).sum()),
        failures_p=failures_p(*_only_one_fails(baseline, candidate)),
        margin=margin,
        n_tests=n_tests,
        n_rows=baseline.n_rows,
        least=least,
        in_folds=baseline.folds is not None,
    )


def _tested(baseline: Sample, candidate: Sample, both: np.ndarray) -> tuple[Tested | None, Tested | None]:
    """Return the difference tested for these test rows, and for new data; None where the runs do not allow it.

    Parameters
    ----------
    both : bool array, shape (n_runs,)
        The runs in which both work.
    """
    differences = (candidate.values - baseline.values)[both]
    if baseline.fresh:
        return None, of_runs(differences)
    if baseline.folds is not None:
        return None, of_folds(fold_means(differences, baseline.folds[both]), baseline.test_per_train)
    here = of_runs(differences)
    if baseline.rows is None or candidate.rows is None:
        return here, None
    rows = (candidate.rows[both] - baseline.rows[both]).mean(axis=0) if both.any() else np.zeros(0)
    step = 0.0 if _are_one(baseline, candidate, both) else baseline.step
    return here, of_new_rows(differences, rows, baseline.n_rows, step)


def _are_one(baseline: Sample, candidate: Sample, both: np.ndarray) -> bool:
    """Return whether both losses gave the same predictions in all runs: then they do so on new rows too."""
    if baseline.predictions is None or candidate.predictions is None:
        return False
    pairs = zip(baseline.predictions, candidate.predictions, strict=True)
    return all(a == b for (a, b), works in zip(pairs, both, strict=True) if works)


def _judged(
    draft: Comparison, p: float, p_here: float, p_failures: float, lower_is_better: bool, least: int
) -> Comparison:
    by_failures = ""
    if p_failures < LEVEL:
        by_failures = WORSE if draft.n_failing > draft.n_baseline_failing else BETTER

    def said(statement: Statement, p: float) -> Statement:
        by_value = _by_value(replace(statement, p_corrected=p), draft.margin, least, lower_is_better)
        verdict = by_failures or by_value
        if {by_value, by_failures} == {BETTER, WORSE}:
            verdict = INCONCLUSIVE
        return replace(statement, p_corrected=p, by_value=by_value, verdict=verdict)

    here = draft.on_these_rows
    return replace(
        draft,
        statement=said(draft.statement, p),
        on_these_rows=said(here, p_here) if here else None,
        by_failures=by_failures,
        failures_p_corrected=p_failures,
    )


def _by_value(statement: Statement, margin: float, least: int, lower_is_better: bool) -> str:
    difference = statement.difference
    if difference.n < least:
        return NO_VERDICT
    if -margin <= difference.low and difference.high <= margin:
        return EQUIVALENT
    if statement.p_corrected < LEVEL:
        return BETTER if (difference.mean < 0) == lower_is_better else WORSE
    return INCONCLUSIVE


def best_group(samples: list[Sample], *, lower_is_better: bool) -> tuple[int | None, list[int]]:
    """Return the loss that is best by its mean, and all that these runs cannot tell from it.

    Losses with too few working runs for a verdict are left out if others have enough.

    All pairs are tested and corrected together, so that the choice of the best by the same runs does no harm: the
    best of several equal ones always looks better than it is.

    Returns
    -------
    best : int or None
        Its place in ``samples``; None where there is no value.
    group : list of int
        The places of the best and of those that are not significantly worse, nor fail significantly more often, best
        first.
    """
    means = np.array([mean_interval(sample.working).mean for sample in samples])
    working = [int(np.isfinite(sample.working).sum()) for sample in samples]
    # A mean over fewer runs than a verdict needs is nobody's best, unless no loss has as many.
    enough = max(1, min(LEAST_SEEDS, max(working)))
    order = [i for i in np.argsort(means if lower_is_better else -means, kind="stable") if working[i] >= enough]
    if not order:
        return None, []

    pairs = [(i, j) for place, i in enumerate(order) for j in order[place + 1 :]]
    both = [(samples[i], samples[j]) for i, j in pairs]
    found = compare_pairs(both, margins=[0.0] * len(pairs), lower_is_better=lower_is_better)
    best = _most_reliable(order, pairs, found)
    against = {}
    for (i, j), comparison in zip(pairs, found, strict=True):
        if i == best:
            against[j] = comparison.verdict
        elif j == best:
            against[i] = {BETTER: WORSE, WORSE: BETTER}.get(comparison.verdict, comparison.verdict)
    group = [best] + [i for i in order if i != best and against[i] != WORSE]
    return int(best), [int(i) for i in group]


def _most_reliable(order: list[int], pairs: list[tuple[int, int]], found: list[Comparison]) -> int:
    """Return the first of ``order``, which is by mean, that no other loss is better than by working more often."""
    beaten = {i for (i, _), comparison in zip(pairs, found, strict=True) if comparison.verdict == BETTER}
    return next((i for i in order if i not in beaten), order[0])
