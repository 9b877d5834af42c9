"""The report's notes on how to read its numbers, and the wording of differences and rates."""

from lossbench.comparison import Interval, share_interval
from lossbench.config.search_space import LEARNING_RATE
from lossbench.config.settings import FOLDS, SAMPLES, SEEDS
from lossbench.findings.number_formats import IN_POINTS, counted, decimals, ends, size
from lossbench.findings.sentences import outside_domain
from lossbench.planning.compared import LOSS
from lossbench.planning.plan import Plan


def limits(plan: Plan, *, n_tables: int, tuned: bool) -> list[str]:
    """Return sentences that say how far the numbers of a report may be trusted; which ones depends on the sweep."""
    of_losses = plan.report.compare in (None, LOSS)
    values = "losses" if of_losses else "values"
    said = [
        "Every loss was trained from the same initial weights, on the same batches in the same order. A difference is "
        "taken seed by seed."
        if of_losses
        else f"Compared is {plan.report.compare}. All its values were trained with the same seeds: from the same "
        "initial weights and on the same batches, where it leaves network and batches as they are.",
    ]
    repeated = {cell.settings.repeat.name for cell in plan.cells}
    if SEEDS in repeated:
        said += _about_rows(plan)
    if FOLDS in repeated:
        said += _about_folds(plan, alone=len(repeated) == 1)
    if SAMPLES in repeated:
        said.append(
            f"{'Each run' if len(repeated) == 1 else 'With repeat=samples, each run'} has a sample of its own from the "
            "generator, training and test rows, the same for all losses. ± and intervals of differences count how the "
            "samples vary: they say what to expect of another sample of this size."
        )
    said += [
        "± is about the runs that work: a single dead run among thirty would drown any small effect. How often runs "
        "diverge or get stuck is counted and tested apart.",
        "Verdicts compare with the baseline: equivalent, if the whole interval lies within the margin; better or "
        "worse, if a test of the mean says so, corrected (Holm) for the number of rows in the table; else "
        "inconclusive. Where nothing differs, at most one table in twenty shows a better or worse.",
    ]
    if not (tuned or _swept_rates(plan)):
        said.append(
            f"All {values} were trained with the same learning rate, which may suit one better than another: a "
            f"difference holds at these settings, not for the {values} as such."
        )
    if outside := outside_domain(plan.cells):
        said.append(f"† marks a loss on targets outside its domain: {outside}. It is shown, and not recommended.")
    if n_tables > 1:
        said.append(
            "The data sets are single cases, not a sample of problems: a loss that is best on all of them "
            "need not be best on another."
        )
    return said


def _about_folds(plan: Plan, *, alone: bool) -> list[str]:
    """Return what intervals and verdicts say where runs are those of a cross-validation."""
    folds = next(cell.settings.folds for cell in plan.cells if cell.settings.folds)
    n_seeds = len(plan.seeds[FOLDS])
    return [
        f"{'Runs' if alone else 'With repeat=folds, runs'} are trained in {folds.repetitions} x {folds.folds} folds, "
        f"{counted(n_seeds, 'seed')} in each. In a repetition every row is a test row once; scalers, encodings and "
        "imputation are fitted anew in each fold, and the folds are the same for all losses.",
        "± and the interval of a difference say what to expect of another sample of this size. Folds share most of "
        "their training rows, so their variance alone would be too small: the corrected t of Nadeau and Bengio allows "
        "for that. More repetitions and seeds make an interval a little narrower; more rows make it narrower.",
    ]


def _about_rows(plan: Plan) -> list[str]:
    """Return what intervals and verdicts say where all runs share their training and test rows."""
    n_seeds = len(plan.seeds[SEEDS])
    is_generated = all("random_state" in cell.settings.dataset.parameters for cell in plan.cells)
    hint = "samples asks that of fresh samples" if is_generated else "folds asks that of another sample"
    return [
        "± is the 95 % Student-t interval of a mean over seeds, on these test rows: how well these seeds determine the "
        "mean, not how far a single run may lie from it.",
        "A difference has two 95 % intervals. The one for new rows counts how the seeds vary and how the test rows "
        "vary: what to expect of other rows of the same kind. The one for these rows counts the seeds alone. A verdict "
        "is about new rows, unless it names these rows.",
        f"The seeds vary initial weights and batch order. The training rows are the same in all {n_seeds} runs: "
        "networks trained on another sample may differ more than any interval here says, and in a close race in "
        "another order.",
        f"The same command with repeat={hint}.",
    ]


def _swept_rates(plan: Plan) -> bool:
    return any(key == LEARNING_RATE for cell in plan.cells for key in cell.swept)


def difference_text(metric: str, found: Interval) -> str:
    """Format a difference with sign and interval, ``-0.9 (-1.5 to -0.4)``: accuracy in points, others in their unit."""
    if found.n == 0:
        return "–"
    sign = "−" if found.mean < 0 else "+" if found.mean > 0 else ""
    places = None if metric in IN_POINTS or found.n < 2 else decimals(found.low, found.high)
    mean = size(metric, found.mean).removesuffix(" points") if places is None else f"{abs(found.mean):.{places}f}"
    if found.n < 2:
        return f"{sign}{mean}"
    return f"{sign}{mean} ({ends(metric, found.low, found.high)})".replace("-", "−")


def rate_text(n: int, total: int) -> str:
    """Format a number of runs that do not work, with the confidence interval of their rate."""
    if not total:
        return "–"
    rate = share_interval(n, total)
    return f"{n} of {total} ({100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
