"""From the numbers of runs to statements about them: pure functions on arrays."""

from lossbench.comparison.intervals import Interval, mean_interval, mean_intervals, share_interval
from lossbench.comparison.mean_tests import fold_means, mean_of_runs, of_folds
from lossbench.comparison.verdict import Comparison, Sample, best_group, compare, compare_pairs

__all__ = [
    "Comparison",
    "Interval",
    "Sample",
    "best_group",
    "compare",
    "compare_pairs",
    "fold_means",
    "mean_interval",
    "mean_intervals",
    "mean_of_runs",
    "of_folds",
    "share_interval",
]
