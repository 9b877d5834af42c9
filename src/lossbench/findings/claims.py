"""What others said in words of their experiments, checked on results.

An experiment lists claims (``says``) with the name of a check; a check is a function of the results, in ``CHECKS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lossbench.comparison import Interval, mean_interval
from lossbench.findings.number_formats import ends, joined, number
from lossbench.findings.tables import sample
from lossbench.losses.heads import HEADS
from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults, curve_matrix

HOLDS, IN_PART, FAILS, ARTEFACT, OPEN = "holds", "in part", "does not hold", "mostly an artefact", "not in this sweep"
# A loss whose runs are this much rougher than another's is the bumpy one of the two.
ROUGHER = 1.5


@dataclass(frozen=True)
class Finding:
    """A claim with what the results say to it.

    Attributes
    ----------
    word : str
        The verdict on the claim.
    evidence : str
        In numbers of these results.
    """

    claim: str
    word: str
    evidence: str


class _NotThereError(Exception):
    """The sweep has not the cells that a check needs."""


@dataclass(frozen=True)
class Evidence:
    """The results, as checks ask for them."""

    plan: Plan
    results: list[CellResults]

    def cell(self, dataset: str, loss: str) -> CellResults:
        """Return a cell's results, working runs only."""
        for result in self.results:
            if (result.cell.dataset, result.cell.loss) == (dataset, loss) and len(result.working.runs) > 1:
                return result.working
        raise _NotThereError

    def difference(self, dataset: str, loss: str, baseline: str, metric: str) -> Interval:
        """Return the difference of two losses over the seeds with which both work."""
        own, base = (sample(self.cell(dataset, name), f"test/{metric}", self.plan.seeds) for name in (loss, baseline))
        return mean_interval(own.working - base.working)

    def mean(self, dataset: str, loss: str, name: str) -> float:
        """Return a final metric's mean."""
        return mean_interval(self.cell(dataset, loss).scores(name)).mean

    def curves(self, dataset: str, loss: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the epochs, and a curve of all runs."""
        epochs, matrix = curve_matrix(self.cell(dataset, loss), name)
        if len(epochs) < 10:
            raise _NotThereError
        return epochs, matrix

    def published(self, dataset: str, loss: str, split: str = "test") -> float:
        """Return what the texts printed."""
        for entry in self.plan.published:
            if (entry["dataset"], entry["loss"]) == (dataset, loss):
                return float(entry[split])
        raise _NotThereError


Verdict = tuple[str, str]


def roughness(curves: np.ndarray) -> float:
    """Return how bumpy the typical run's curve is in its second half: mean change of direction over its whole range."""
    half = curves[:, curves.shape[1] // 2 :]
    bend = np.abs(np.diff(half, n=2, axis=1)).mean(axis=1)
    return float(np.median(bend / np.maximum(np.ptp(curves, axis=1), 1e-12)))


def _settled(epochs: np.ndarray, mean: np.ndarray) -> int:
    """Return the epoch from which on a falling curve is within 5 % of its way of its end."""
    far = np.abs(mean - mean[-1]) > 0.05 * (mean.max() - mean[-1])
    return int(epochs[min(len(epochs) - 1, int(np.flatnonzero(far)[-1]) + 1)]) if far.any() else int(epochs[0])


def hinge_on_circles(evidence: Evidence) -> Verdict:
    """Return the gap of the hinge losses to cross-entropy, by the sign of the output and as it was printed."""
    base = "binary_crossentropy"
    printed = [
        evidence.published("circles", base) - evidence.published("circles", n) for n in ("hinge", "squared_hinge")
    ]
    ours = [evidence.difference("circles", name, base, "accuracy") for name in ("hinge", "squared_hinge")]
    rounded = [evidence.mean("circles", name, "test/rounded_accuracy") for name in ("hinge", "squared_hinge")]
    gaps = [f"{-100 * d.mean:.1f} points ({ends('accuracy', -d.high, -d.low)})" for d in ours]
    text = (
        f"The printed gaps are {100 * printed[0]:.1f} and {100 * printed[1]:.1f} points. Judged by the sign of the "
        f"output they are {gaps[0]} and {gaps[1]}. What was printed compares the rounded output with -1 and 1, so that "
        f"every output between -0.5 and 0.5 counts as wrong; computed that way ours are {number(rounded[0])} and "
        f"{number(rounded[1])}."
    )
    left = max(-d.mean / gap for d, gap in zip(ours, printed, strict=True))
    return (ARTEFACT if left < 1 / 3 else HOLDS), text


def logarithmic_error_on_negative_targets(evidence: Evidence) -> Verdict:
    """Return whether its curves rise, and where its error is."""
    loss = "mean_squared_logarithmic_error"
    _, test = evidence.curves("regression", loss, "test/rmse")
    _, train = evidence.curves("regression", loss, "train/rmse")
    rising = [float((curve[:, -1] > 1.05 * curve.min(axis=1)).mean()) for curve in (train, test)]
    negative, positive, share = _errors_by_sign(evidence, loss)
    values = test[:, -1]
    text = (
        f"{100 * share:.0f} % of the test targets are negative; the loss counts every negative number as 0, so the "
        f"error there is free: {number(negative)} mean squared error on them, {number(positive)} on the others. "
        f"Where a curve rises, train rises with test, which is not overfitting: rmse ends more than 5 % above its "
        f"least in {100 * rising[0]:.0f} % of the runs on the training split and in {100 * rising[1]:.0f} % on the "
        f"test split. Single runs end between {number(float(values.min()))} and {number(float(values.max()))}."
    )
    overfits = rising[1] > 0.5 and rising[0] < 0.5 * rising[1]
    return (HOLDS if overfits else FAILS), text


def _errors_by_sign(evidence: Evidence, loss: str) -> tuple[float, float, float]:
    """Return the mean squared error on negative targets, on the others, and the share of negative ones."""
    result = evidence.cell("regression", loss)
    path = evidence.plan.folder / result.cell.folder / "data.npz"
    if not path.exists() or "raw/test" not in result.runs[0].arrays:
        raise _NotThereError
    with np.load(path, allow_pickle=False) as data:
        y = data["y/test"].astype(np.float64)
    raw = np.stack([run.arrays["raw/test"] for run in result.runs]).astype(np.float64)
    squared = ((HEADS[result.cell.head].activate(raw) - y) ** 2).mean(axis=0)
    return float(squared[y < 0].mean()), float(squared[y >= 0].mean()), float((y < 0).mean())


def three_codings(evidence: Evidence) -> Verdict:
    """Return whether the three losses on blobs differ at all."""
    names = ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
    scores = [sample(evidence.cell("blobs", name), "test/accuracy", evidence.plan.seeds).values for name in names]
    equal = np.mean([np.array_equal(run, run[:1].repeat(3)) for run in np.stack(scores, axis=1)])
    printed = [evidence.published("blobs", name, split) for split in ("train", "test") for name in names]
    spread = max(max(printed[:3]) - min(printed[:3]), max(printed[3:]) - min(printed[3:]))
    values = scores[0][np.isfinite(scores[0])]
    text = (
        f"With the same seed the three give the same test accuracy in {100 * equal:.0f} % of the seeds: they are one "
        f"function in three codings. The printed values differ by up to {100 * spread:.1f} points; seeds alone move "
        f"one loss by {100 * np.ptp(values):.1f} ({number(float(values.min()))} to {number(float(values.max()))})."
    )
    return (FAILS if equal > 0.99 else IN_PART), text


def one_run_each(evidence: Evidence) -> Verdict:
    """Return how often single runs of two losses come out in the wrong order."""
    base, other = (evidence.cell("circles", name).scores("test/accuracy") for name in ("binary_crossentropy", "hinge"))
    better, worse = (base, other) if base.mean() >= other.mean() else (other, base)
    misled = float((worse[:, None] >= better[None, :]).mean())
    dead = [f"{r.cell.loss} on {r.cell.data} {r.n_stuck} of {len(r.runs)}" for r in evidence.results if r.n_stuck]
    text = (
        f"Of two single runs with seeds of their own, one with binary cross-entropy and one with hinge on circles, "
        f"the one that is worse on the mean comes out at least as good in {100 * misled:.0f} % of all pairs. "
        + (f"Stuck altogether: {joined(dead)} runs." if dead else "None of these runs is stuck.")
    )
    return (FAILS if misled > 0.05 else HOLDS), text


def squared_error_converges(evidence: Evidence) -> Verdict:
    """Return how soon it has settled, and how far train and test are apart."""
    epochs, test = evidence.curves("regression", "mean_squared_error", "test/loss")
    _, train = evidence.curves("regression", "mean_squared_error", "train/loss")
    settled = _settled(epochs, test.mean(axis=0))
    ends_at = [float(curve[:, -1].mean()) for curve in (train, test)]
    naive = evidence.cell("regression", "mean_squared_error").naive.get("test/mse", float("nan"))
    text = (
        f"The mean test error is within 5 % of its way of its end from epoch {settled} of {epochs[-1]} on; at the end "
        f"train has {number(ends_at[0])} and test {number(ends_at[1])}, where the best constant has {number(naive)}."
    )
    holds = settled <= epochs[-1] / 3, ends_at[1] - ends_at[0] < 0.05 * naive
    return (HOLDS if all(holds) else IN_PART if any(holds) else FAILS), text


def absolute_error_bumpy(evidence: Evidence) -> Verdict:
    """Return how rough its curve is beside squared error's, and which of the two is better."""
    names = ("mean_absolute_error", "mean_squared_error")
    rough = [roughness(evidence.curves("regression", name, "test/rmse")[1]) for name in names]
    found = evidence.difference("regression", *names, "rmse")
    side = "lower" if found.mean < 0 else "higher"
    low, high = sorted((abs(found.low), abs(found.high))) if found.low * found.high > 0 else (found.low, found.high)
    text = (
        f"Its test rmse bends {rough[0] / rough[1]:.1f} times as hard from epoch to epoch as squared error's. Its rmse "
        f"at the end is {number(abs(found.mean))} {side} ({ends('rmse', low, high)})."
    )
    holds = rough[0] > ROUGHER * rough[1], found.low > 0
    return (HOLDS if all(holds) else IN_PART if any(holds) else FAILS), text


def unscaled_targets(evidence: Evidence) -> Verdict:
    """Return where this is checked: it needs another sweep."""
    other = "`lossbench experiment=unscaled_targets` trains both losses on targets as they are."
    return OPEN, f"The targets here are standardized. {other}"


def crossentropy_smooth(evidence: Evidence) -> Verdict:
    """Return how rough the curves of the loss and of its accuracy are."""
    rough = [
        roughness(evidence.curves("circles", "binary_crossentropy", f"test/{name}")[1]) for name in ("loss", "accuracy")
    ]
    steps = [np.diff(evidence.curves("circles", "binary_crossentropy", f"test/{n}")[1]) for n in ("loss", "accuracy")]
    turns = [float(np.mean([_turns(run) for run in curves])) for curves in steps]
    text = (
        f"From epoch to epoch test accuracy bends {rough[1] / rough[0]:.1f} times as hard as the test loss, each over "
        f"its own range, and turns {turns[1]:.0f} times in a run, the loss {turns[0]:.0f} times: accuracy changes in "
        "steps of whole samples."
    )
    return (HOLDS if rough[1] > ROUGHER * rough[0] else FAILS), text


def _turns(steps: np.ndarray) -> int:
    signs = [sign for sign in np.sign(steps) if sign]
    return sum(a != b for a, b in pairwise(signs))


def crossentropy_on_blobs(evidence: Evidence) -> Verdict:
    """Return how near it comes to the best possible."""
    result = evidence.cell("blobs", "categorical_crossentropy")
    interval = mean_interval(result.scores("test/accuracy"))
    naive = result.naive.get("test/accuracy", float("nan"))
    value = f"{number(interval.mean)} ± {number(interval.half_width)}"
    text = f"Its test accuracy is {value}, the best constant's {number(naive)}"
    ceiling = result.ceiling.get("test/accuracy", float("nan"))
    if not np.isfinite(ceiling):
        return (
            HOLDS if interval.mean > (1 + naive) / 2 else FAILS
        ), f"{text}; the best possible value is not known here."
    reached = (interval.mean - naive) / (ceiling - naive)
    text += f", and the best possible {number(ceiling)}: it comes {100 * reached:.0f} % of the way."
    return (HOLDS if reached > 0.9 else FAILS), text


CHECKS: dict[str, Callable[[Evidence], Verdict]] = {
    check.__name__: check
    for check in (
        hinge_on_circles,
        logarithmic_error_on_negative_targets,
        three_codings,
        one_run_each,
        squared_error_converges,
        absolute_error_bumpy,
        unscaled_targets,
        crossentropy_smooth,
        crossentropy_on_blobs,
    )
}


def check_claims(plan: Plan, results: list[CellResults]) -> list[Finding]:
    """Return a finding for each claim of the plan that can be checked on these results."""
    findings = []
    for claim in plan.claims:
        check = CHECKS.get(claim["check"])
        if check is None:
            findings.append(Finding(claim["says"], OPEN, f"There is no check of the name {claim['check']}."))
            continue
        try:
            word, evidence = check(Evidence(plan, results))
        except _NotThereError:
            continue
        findings.append(Finding(claim["says"], word, evidence))
    return findings
