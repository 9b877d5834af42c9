"""Sentences that say what a table's runs repeat, and which population its intervals and verdicts are about."""

from lossbench.findings.number_formats import counted
from lossbench.findings.tables import ANOTHER_SAMPLE, FRESH_SAMPLES, NEW_ROWS, Table


def design(table: Table) -> str:
    """Return what the runs of a table repeat."""
    folds = table.results[0].cell.settings.folds
    n_seeds = len({run.seed for run in table.runs})
    if folds:
        return (
            f"Runs are those of {folds.repetitions} x {folds.folds}-fold cross-validation with "
            f"{counted(n_seeds, 'seed')} in each fold."
        )
    if table.about == FRESH_SAMPLES:
        return f"Each of {counted(n_seeds, 'run')} has training and test rows of its own, drawn anew."
    return (
        f"Runs are those of {counted(n_seeds, 'seed')}, which fix initial weights, batch order and noise; all have the "
        "same training and test rows."
    )


def population(table: Table) -> str:
    """Return which population the intervals and the verdicts of a table are about."""
    if table.about == ANOTHER_SAMPLE:
        return "Intervals and verdicts are about another sample of this size (corrected resampled t)."
    if table.about == FRESH_SAMPLES:
        return "Intervals and verdicts are about fresh samples of this size."
    if table.about == NEW_ROWS:
        return (
            "Intervals after ± are about more seeds on these test rows; differences, p values and verdicts are about "
            f"new rows for networks trained on the same training rows ({table.n_rows} test rows)."
        )
    return "Intervals, p values and verdicts are about more seeds on these training and test rows."
