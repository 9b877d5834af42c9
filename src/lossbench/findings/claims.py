"""Checks the claims that others published in words about their experiments against the results of a sweep.

An experiment lists claims: a quotation (``says``) and the name of a check. Each check is a function in ``CHECKS`` that
returns a verdict on its claim, and the numbers behind it in a sentence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lossbench.comparison import Interval, Sample, mean_interval
from lossbench.findings.number_formats import ends, joined, number
from lossbench.findings.tables import sample
from lossbench.losses.heads import HEADS
from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults, curve_matrix

HOLDS, IN_PART, FAILS, ARTEFACT, OPEN = "holds", "in part", "does not hold", "mostly an artefact", "not in this sweep"
# A curve counts as bumpy beside another one if its ``roughness`` is this many times as large.
ROUGHER = 1.5


@dataclass(frozen=True)
class Finding:
    """A claim, the verdict on it, and the evidence.

    Attributes
    ----------
    claim : str
        The claim as it was published.
    word : str
        The verdict: ``HOLDS``, ``IN_PART``, ``FAILS``, ``ARTEFACT`` or ``OPEN``.
    evidence : str
        Sentences with the numbers of this sweep.
    """

    claim: str
    word: str
    evidence: str


class _NotThereError(Exception):
    """The sweep lacks a cell, a curve or a published value that a check needs."""


@dataclass(frozen=True)
class Evidence:
    """The results of a sweep, with the queries that checks use."""

    plan: Plan
    results: list[CellResults]

    def cell(self, dataset: str, loss: str) -> CellResults:
        """Return the working runs of a data set's cell with a loss, at least two.

        Raises
        ------
        _NotThereError
            If there are none or only one.
        """
        for result in self.results:
            if (result.cell.dataset, result.cell.loss) == (dataset, loss) and len(result.working.runs) > 1:
                return result.working
        raise _NotThereError

    def difference(self, dataset: str, loss: str, baseline: str, metric: str) -> Interval:
        """Return the mean difference in a test metric, loss less baseline, over the seeds with which both work."""
        own, base = (self.sample(dataset, name, metric) for name in (loss, baseline))
        return mean_interval(own.working - base.working)

    def sample(self, dataset: str, loss: str, metric: str) -> Sample:
        """Return a test metric of a cell over the plan's seeds."""
        found = self.cell(dataset, loss)
        return sample(found, f"test/{metric}", self.plan.runs(found.cell))

    def mean(self, dataset: str, loss: str, name: str) -> float:
        """Return the mean of a final metric over a cell's working runs."""
        return mean_interval(self.cell(dataset, loss).scores(name)).mean

    def curves(self, dataset: str, loss: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the epochs, shape (n_epochs,), and the curves of a cell's working runs, shape (n_runs, n_epochs)."""
        epochs, matrix = curve_matrix(self.cell(dataset, loss), name)
        if len(epochs) < 10:
            raise _NotThereError
        return epochs, matrix

    def published(self, dataset: str, loss: str, split: str = "test") -> float:
        """Return the value that was published for a loss on a data set."""
        for entry in self.plan.published:
            if (entry["dataset"], entry["loss"]) == (dataset, loss):
                return float(entry[split])
        raise _NotThereError


Checked = tuple[str, str]


def roughness(curves: np.ndarray) -> float:
    """Return how bumpy curves are in their second half, as the median over runs.

    The roughness of one curve is its mean absolute second difference, divided by its range over all epochs.

    Parameters
    ----------
    curves : float array, shape (n_runs, n_epochs)
    """
    half = curves[:, curves.shape[1] // 2 :]
    bend = np.abs(np.diff(half, n=2, axis=1)).mean(axis=1)
    return float(np.median(bend / np.maximum(np.ptp(curves, axis=1), 1e-12)))


def _settled(epochs: np.ndarray, mean: np.ndarray) -> int:
    """Return the epoch from which on a falling curve stays close to its last value: within 5 % of its total fall."""
    far = np.abs(mean - mean[-1]) > 0.05 * (mean.max() - mean[-1])
    return int(epochs[min(len(epochs) - 1, int(np.flatnonzero(far)[-1]) + 1)]) if far.any() else int(epochs[0])


def hinge_on_circles(evidence: Evidence) -> Checked:
    """Compare the accuracy gap between the hinge losses and cross-entropy with the published one.

    The published accuracy rounds outputs and compares them with -1 and 1; ours decides by the sign of the output.
    """
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


def logarithmic_error_on_negative_targets(evidence: Evidence) -> Checked:
    """Check whether rising test curves of the logarithmic error mean overfitting, and on which targets it errs."""
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
    """Return the mean squared error on negative targets, that on other targets, and the share of negative targets."""
    result = evidence.cell("regression", loss)
    path = evidence.plan.folder / result.cell.folder / "data.npz"
    if not path.exists() or "raw/test" not in result.runs[0].arrays:
        raise _NotThereError
    with np.load(path, allow_pickle=False) as data:
        y = data["y/test"].astype(np.float64)
    raw = np.stack([run.arrays["raw/test"] for run in result.runs]).astype(np.float64)
    squared = ((HEADS[result.cell.head].activate(raw) - y) ** 2).mean(axis=0)
    return float(squared[y < 0].mean()), float(squared[y >= 0].mean()), float((y < 0).mean())


def three_codings(evidence: Evidence) -> Checked:
    """Check whether the three codings of cross-entropy on blobs give different results."""
    names = ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
    scores = [evidence.sample("blobs", name, "accuracy").values for name in names]
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


def one_run_each(evidence: Evidence) -> Checked:
    """Check how often one run of each of two losses ranks them in the wrong order."""
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


def squared_error_converges(evidence: Evidence) -> Checked:
    """Check how early the curve of squared error settles, and how far train and test are apart."""
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


def absolute_error_bumpy(evidence: Evidence) -> Checked:
    """Compare absolute with squared error: the roughness of their curves, and their final rmse."""
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


def unscaled_targets(evidence: Evidence) -> Checked:
    """Return ``OPEN`` and the name of the sweep that checks this claim."""
    other = "`lossbench experiment=unscaled_targets` trains both losses on targets as they are."
    return OPEN, f"The targets here are standardized. {other}"


def crossentropy_smooth(evidence: Evidence) -> Checked:
    """Compare the roughness of cross-entropy's loss curve with that of its accuracy curve."""
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


def crossentropy_on_blobs(evidence: Evidence) -> Checked:
    """Check how close cross-entropy on blobs comes to the best possible accuracy."""
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


CHECKS: dict[str, Callable[[Evidence], Checked]] = {
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
    """Return a finding for each claim of the plan; claims whose cells are not in the sweep are omitted."""
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
