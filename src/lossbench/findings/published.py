"""Compares published values of single runs with the range of our runs over seeds."""

from dataclasses import dataclass

import numpy as np

from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults


@dataclass(frozen=True)
class Published:
    """A published value of one run with an unknown seed, and the values of our runs.

    Attributes
    ----------
    value : float
        The published value, which has three decimals.
    mean, low, high : float
        The mean, the least and the greatest value of our finished runs, stuck ones included. ``low`` and ``high`` are
        rounded to three decimals as the published value is.
    below : float
        The share of our runs with a lower value than the published one.
    """

    data: str
    metric: str
    label: str
    split: str
    value: float
    mean: float
    low: float
    high: float
    below: float

    @property
    def inside(self) -> bool:
        """Whether the published value lies within the range of our runs."""
        return self.low <= self.value <= self.high


def published(plan: Plan, results: list[CellResults]) -> list[Published]:
    """Return the plan's published values, beside our runs, of those cells that have finished runs."""
    rows = []
    for entry in plan.published:
        found = [r for r in results if (r.cell.dataset, r.cell.loss) == (entry["dataset"], entry["loss"])]
        for split in ("train", "test") if found else ():
            values = found[0].scores(f"{split}/{entry['metric']}")
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            # The published values have three decimals, so ours are rounded to three before they are compared.
            low, high = round(float(values.min()), 3), round(float(values.max()), 3)
            value, mean, below = entry[split], float(values.mean()), float((values < entry[split]).mean())
            label = found[0].cell.label
            rows.append(Published(entry["dataset"], entry["metric"], label, split, value, mean, low, high, below))
    return rows
