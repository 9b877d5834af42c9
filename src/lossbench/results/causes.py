"""Why a run diverged or got stuck, as far as its part file tells: the likely cause, and what to change.

A cause is a guess from curves, predictions and settings; nothing is trained to find it.
"""

from dataclasses import dataclass

import numpy as np

from lossbench.config.search_space import LEARNING_RATE
from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import BASELINES
from lossbench.planning.plan import Cell
from lossbench.results.part_files import DIVERGED, FAILED, Run, RunInfo

# Scaled columns rarely lie further from 0 than this.
LARGE = 100.0
# Of a curve: steps up and down of this share of its height jump; a fall of less than that over all epochs is slow.
JUMPING, SLOW = 0.1, 0.05
# A rate with which most networks train; ten times less or more than a wrong one may still be wrong.
USUAL_RATE = 0.01
# A bounded head is saturated where its activation has no more than this share of its greatest slope.
SATURATED = 1e-3


@dataclass(frozen=True)
class Cause:
    """The likely cause of a run that does not work.

    Attributes
    ----------
    why : str
        The cause, as a clause.
    remedy : str
        What to change, in words or as settings; '' where nothing is known.
    """

    why: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """The cause and the remedy in a line."""
        return f"{self.why}; {self.remedy}" if self.remedy else self.why


def cause(cell: Cell, run: Run) -> Cause | None:
    """Return the likely cause of a run that diverged, got stuck or failed; None for a working one, or if not known."""
    if run.info.status == FAILED:
        return Cause(run.info.error.splitlines()[-1]) if run.info.error else None
    if run.info.status == DIVERGED:
        return _of_diverged(cell, run.info)
    return _of_stuck(cell, run) if run.info.stuck else None


def last_finite_loss(run: Run) -> float | None:
    """Return a run's own loss on the training split at the last evaluation at which it was finite; None if at none."""
    loss = run.array("curve/train/loss")
    finite = loss[np.isfinite(loss)] if loss is not None else np.zeros(0)
    return float(finite[-1]) if len(finite) else None


def _of_diverged(cell: Cell, info: RunInfo) -> Cause:
    standardize, extremes = cell.settings.dataset.standardize, info.extremes or {}
    if extremes.get("x", 0.0) > LARGE:
        why = f"a feature of up to {extremes['x']:.1g} in the unit of training"
        scaled = standardize.x != "none"
        return Cause(why, "mend or leave out its extreme rows" if scaled else "dataset.standardize.x=standard")
    if extremes.get("y", 0.0) > LARGE:
        why = f"a target of up to {extremes['y']:.1g} in the unit of training"
        scaled = standardize.y != "none"
        return Cause(why, "mend or leave out its extreme rows" if scaled else "dataset.standardize.y=standard")
    if cell.outside_domain:
        return Cause("the targets lie outside the loss's domain", "another loss: loss=all takes those that fit")
    if cell.head == "exponential":
        return Cause("the exponential of head=exponential overflows", f"head=softplus or {_lower_rate(cell, info)}")
    return Cause(f"the learning rate {_rate(cell, info):.3g} is too high", _lower_rate(cell, info))


def _of_stuck(cell: Cell, run: Run) -> Cause | None:
    loss, raw = run.array("curve/train/loss"), run.array("raw/test")
    if loss is None or raw is None or len(loss) < 3:
        return None
    raw, loss = raw.astype(np.float64), loss.astype(np.float64)
    rate = f"the learning rate {_rate(cell, run.info):.3g}"
    if np.ptp(raw, axis=0).max() <= 1e-6 * max(1.0, np.abs(raw).max()):
        why = "the network gives every row the same output: its hidden units are dead"
        return Cause(why, f"another model.activation (leaky_relu, tanh) or {_lower_rate(cell, run.info)}")
    half = loss[len(loss) // 2 :]
    if _is_saturated(cell, raw):
        return Cause(
            f"the outputs of head={cell.head} are saturated, where the loss has no slope", _with_slope(cell, run.info)
        )
    if cell.outside_domain and np.ptp(half) == 0:
        # Only a gradient of 0 leaves every digit as it was.
        why = "the loss has no slope at the network's outputs: the targets lie outside its domain"
        return Cause(why, "another loss: loss=all takes those that fit")
    if np.abs(np.diff(half)).mean() > JUMPING * abs(half.mean()) or half.mean() > 1.5 * loss[0]:
        return Cause(f"{rate} is too high: the training loss jumps or rises", _lower_rate(cell, run.info))
    fell = float(loss[0] - loss[-1])
    # A study has tried higher rates.
    if 0 < fell < SLOW * abs(loss[0]) and np.mean(np.diff(loss) < 0) > 0.8 and not cell.is_tuned:
        return Cause(f"{rate} is too low: the training loss still falls, slowly", _higher_rate(cell, run.info))
    if fell > 0 and loss[-1] < half[0] and np.mean(np.diff(half) < 0) > 0.8:
        return Cause("too few epochs: the training loss still falls", f"epochs={2 * cell.settings.epochs}")
    return None


def _is_saturated(cell: Cell, raw: np.ndarray) -> bool:
    """Return whether most outputs lie where a bounded activation is flat, and the loss with it."""
    head = HEADS[cell.head]
    # A loss of raw predictions keeps its slope there.
    if cell.pair.on_raw or not np.isfinite((head.low, head.high)).all():
        return False
    share = (head.activate(raw) - head.low) / (head.high - head.low)
    return bool(np.median(4 * share * (1 - share)) < SATURATED)


def _with_slope(cell: Cell, info: RunInfo) -> str:
    """Return settings with which outputs do not saturate, or the loss keeps its slope where they do."""
    kept = "head=linear" if cell.task == "regression" else f"loss={BASELINES[cell.task]}, which keeps its slope there"
    lower = f"{LEARNING_RATE}={min(_rate(cell, info) / 10, USUAL_RATE):.3g}"
    return kept if cell.is_tuned else f"{kept}, or {lower}"


def _rate(cell: Cell, info: RunInfo) -> float:
    return float(info.tuned.get(LEARNING_RATE, cell.settings.optimizer.learning_rate))


def _lower_rate(cell: Cell, info: RunInfo) -> str:
    """Return settings with which training takes smaller steps."""
    optimizer = cell.settings.optimizer
    clipped = any(each is not None for each in (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm))
    lower = f"{LEARNING_RATE}={min(_rate(cell, info) / 10, USUAL_RATE):.3g}"
    return " or ".join([*_search(cell), lower, *([] if clipped else ["optimizer.clipnorm=1"])])


def _higher_rate(cell: Cell, info: RunInfo) -> str:
    """Return settings with which training gets further."""
    return " or ".join([*_search(cell), f"{LEARNING_RATE}={max(_rate(cell, info) * 10, USUAL_RATE):.3g}"])


def _search(cell: Cell) -> list[str]:
    return [] if cell.is_tuned else ["tune=learning_rate"]
