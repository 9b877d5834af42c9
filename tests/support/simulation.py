"""Tables of losses that do not differ: how often is a difference found all the same?"""

import numpy as np

from lossbench.comparison import Sample, compare
from lossbench.comparison.verdict import BETTER, WORSE


def share_of_false_tables(n_tables: int, n_seeds: int, n_losses: int, *, rng: np.random.Generator) -> float:
    """Return the share of tables with a false ``better`` or ``worse``.

    The runs of a seed have a part in common, as they start from the same weights; one in a hundred is stuck.
    """
    n_false = 0
    for _ in range(n_tables):
        common = rng.normal(size=n_seeds)
        samples = []
        for _ in range(n_losses):
            works = rng.random(n_seeds) > 0.01
            values = 0.85 + 0.01 * (common + rng.normal(size=n_seeds))
            samples.append(Sample(np.where(works, values, 0.5), works))
        found = compare(samples[0], samples[1:], margin=0.0, lower_is_better=False)
        n_false += any(comparison.verdict in (BETTER, WORSE) for comparison in found)
    return n_false / n_tables


def most_allowed(n_tables: int) -> float:
    """Return 5 % and what simulating so many tables may add: three standard errors."""
    return 0.05 + 3 * (0.05 * 0.95 / n_tables) ** 0.5
