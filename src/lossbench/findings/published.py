"""What others printed of some cells, beside what our seeds give."""

from dataclasses import dataclass

import numpy as np

from lossbench.planning.plan import Plan
from lossbench.results.cells import CellResults


@dataclass(frozen=True)
class Published:
    """One printed number, of one run with an unknown seed.

    Attributes
    ----------
    value : float
        As it was printed, with three decimals.
    mean, low, high : float
        Of our finished runs, stuck ones included: the mean, the least and the greatest, these two with three decimals.
    below : float
        The share of our runs below the printed value.
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
        """Whether the printed value lies in our range."""
        return self.low <= self.value <= self.high


def published(plan: Plan, results: list[CellResults]) -> list[Published]:
    """Return each published value of the plan's cells that have finished runs, in the plan's order."""
    rows = []
    for entry in plan.published:
        found = [r for r in results if (r.cell.dataset, r.cell.loss) == (entry["dataset"], entry["loss"])]
        for split in ("train", "test") if found else ():
            values = found[0].scores(f"{split}/{entry['metric']}")
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            # Published with three decimals: ours are rounded alike before they are compared.
            low, high = round(float(values.min()), 3), round(float(values.max()), 3)
            value, mean, below = entry[split], float(values.mean()), float((values < entry[split]).mean())
            label = found[0].cell.label
            rows.append(Published(entry["dataset"], entry["metric"], label, split, value, mean, low, high, below))
    return rows
