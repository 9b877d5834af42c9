"""A paragraph on methods, made from a sweep's settings: what was trained on what, how it was repeated and judged."""

from collections.abc import Callable

from lossbench.config.settings import FOLDS, SAMPLES, SEEDS
from lossbench.findings.number_formats import IN_POINTS, counted, joined, size
from lossbench.paper import trainings
from lossbench.paper.markup import Markup, cited, code, written
from lossbench.paper.references import (
    CORRECTED_T,
    FAILURES,
    FEW_ROWS,
    HOLM,
    SKEWNESS,
    keys,
    of_data,
    of_losses,
    references_in,
    uses_few_rows,
)
from lossbench.planning.plan import Cell, Plan
from lossbench.report.content import Content
from lossbench.report.dataset_section import about_data, frame
from lossbench.results.cells import CellResults

# What stands in the report's facts where the software was installed from no git checkout.
NO_COMMIT = "not a git checkout"


def methods(plan: Plan, results: list[CellResults], markup: Markup) -> str:
    """Return a paragraph on the methods of a sweep.

    What all cells share is said once; what differs is said with the data sets, losses or cells that it holds for.
    """
    content = Content(plan, results)
    sentences = [_losses(plan), _data(content)]
    sentences += [text for said in trainings.SENTENCES for text in _of_cells(plan, said)]
    sentences += [*_rates(plan), *_runs(plan), *_judgement(content), *_software(content)]
    return written(markup, " ".join(sentences)) + "\n"


def _losses(plan: Plan) -> str:
    names = list(dict.fromkeys(cell.loss for cell in plan.cells))
    shown = [code(name) + cited(keys(of_losses(plan, name))) for name in names]
    if len(names) == 1:
        return f"Networks were trained with the loss {shown[0]}."
    return f"We compared {len(names)} losses: {joined(shown)}."


def _data(content: Content) -> str:
    shown = []
    for table in content.tables:
        cell = table.results[0].cell
        sources = cited(keys(of_data(content.plan, cell.dataset)))
        shown.append(f"{code(table.data)}{sources} ({about_data(cell, frame(content.plan, table).arrays)})")
    return f"The data {'set was' if len(shown) == 1 else 'sets were'} {joined(shown)}."


def _of_cells(plan: Plan, said: Callable[[Cell], str]) -> list[str]:
    """Return what is said of all cells as sentences: one if it is the same, else each with what it holds for."""
    by_text: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        if text := said(cell):
            by_text.setdefault(text, []).append(cell)
    return [_capital(f"{_where(plan, cells)}{text}.") for text, cells in by_text.items()]


def _where(plan: Plan, cells: list[Cell]) -> str:
    """Return the data sets, losses, swept values, or else the cells that something holds for; '' for all cells."""
    if len(cells) == len(plan.cells):
        return ""
    swept = dict.fromkeys(key for cell in plan.cells for key in cell.swept)
    views: list[tuple[str, Callable[[Cell], str]]] = [("on", lambda cell: cell.dataset)]
    views += [("with", lambda cell: cell.loss)]
    views += [("with", lambda cell, key=key: f"{key}={cell.swept.get(key)}") for key in swept]  # type: ignore[misc]
    for word, view in views:
        names = list(dict.fromkeys(map(view, cells)))
        if sum(view(cell) in names for cell in plan.cells) == len(cells):
            return f"{word} {joined([code(name) for name in names])}, "
    named = joined([*(code(cell.name) for cell in cells[:3]), *(["others"] if len(cells) > 3 else [])])
    return f"in {len(cells)} of {len(plan.cells)} combinations ({named}), "


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _rates(plan: Plan) -> list[str]:
    """Return the learning rates of the cells that no study chose them for."""

    def said(cell: Cell) -> str:
        return "" if cell.is_tuned else f"the learning rate was {cell.settings.optimizer.learning_rate:g}"

    return _of_cells(plan, said)


def _runs(plan: Plan) -> list[str]:
    found = []
    for name, seeds in plan.seeds.items():
        cells = [cell for cell in plan.cells if cell.settings.repeat.name == name]
        if not cells:
            continue
        in_order = seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2
        listed = f"{seeds[0]} to {seeds[-1]}" if in_order else joined([str(seed) for seed in seeds])
        n = f"{counted(len(seeds), 'seed')} ({listed})"
        if folds := cells[0].settings.folds:
            found.append(
                f"Each loss was trained in {folds.repetitions} x {folds.folds}-fold cross-validation with {n} in each "
                "fold. Scaling, encoding and imputation were fitted in the fold; the folds were the same for all "
                "losses."
            )
        elif name == SAMPLES:
            found.append(f"Each loss was trained with {n}, each with rows drawn anew, the same for all losses.")
        else:
            found.append(f"Each loss was trained with {n} on the same rows.")
    return [
        *found,
        "A seed fixes initial weights, batch order and noise and is shared by all losses, so that runs are compared in "
        "pairs.",
    ]


def _judgement(content: Content) -> list[str]:
    plan = content.plan
    metrics = dict.fromkeys((table.metric, "lower" if table.lower_is_better else "higher") for table in content.tables)
    named = joined([f"{code(name)} ({better} is better)" for name, better in metrics])
    return [
        f"Losses were compared by {named} on test rows, never by their own values.",
        *_intervals(plan),
        "A loss is called equivalent to the baseline if the whole 95 % interval of the difference lies within the "
        f"margin ({_margins(content)}), and better or worse if p < 0.05, corrected for the number of tests in the "
        f"table{_cited(HOLM)}; the group of the best losses was found from all pairs, corrected together.",
        "Runs that diverged, or that ended no better than the best constant prediction, were left out of means and "
        f"counted; how often a loss fails was tested apart{_cited(FAILURES)}, within the same correction.",
    ]


def _intervals(plan: Plan) -> list[str]:
    """Return which intervals there are and which population they are about, for each way in which runs repeat."""
    repeated, found = {cell.settings.repeat.name for cell in plan.cells}, []
    if FOLDS in repeated:
        found.append(
            "Means and differences have 95 % intervals of the corrected resampled t, which allows for training rows "
            f"that folds share{_cited(CORRECTED_T)}: they are about another sample of this size."
        )
    if SEEDS in repeated:
        few = (
            f", and for accuracy that of two further rows that change by half a step{_cited(FEW_ROWS)}"
            if uses_few_rows(plan)
            else ""
        )
        found.append(
            "Means have 95 % Student-t intervals over seeds, on these test rows. Differences have 95 % intervals for "
            "new rows and networks trained on the same training rows: the variance of the test rows is added to that "
            f"of the seeds{few}. Differences on these test rows alone are tested with a correction for "
            f"skewness{_cited(SKEWNESS)}."
        )
    if SAMPLES in repeated:
        found.append(
            f"Differences have 95 % t intervals over samples, corrected for skewness{_cited(SKEWNESS)}: they are about "
            "fresh samples of this size."
        )
    return found


def _margins(content: Content) -> str:
    found = {}
    for table in content.tables:
        margins = [comparison.margin for comparison in table.comparisons if comparison]
        if margins:
            unit = "" if table.metric in IN_POINTS else f" of {code(table.metric)}"
            found[table.data] = f"{size(table.metric, margins[0])}{unit}"
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return ", ".join(f"{text} on {code(data)}" for data, text in found.items()) or "fixed beforehand"


def _software(content: Content) -> list[str]:
    facts = dict(content.facts)
    commit = f" at commit {facts['commit']}" if facts["commit"] != NO_COMMIT else ""
    libraries = f", with {facts['libraries']}" if facts["libraries"] else ""
    return [
        f"All was run by lossbench {facts['lossbench']}{commit}{cited(['lossbench'])}{libraries}.",
        f"The command was {code(content.plan.command)}.",
    ]


def _cited(source: str) -> str:
    return cited(keys(references_in(source)))
