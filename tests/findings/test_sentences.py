"""The answer in words, and which cells are compared with which: on results made by hand."""

from dataclasses import replace

import numpy as np
import pytest
from support.results import NOISE, cell, cell_results, classified, sweep

from lossbench.console.opening import first_lines
from lossbench.console.summary import summary_lines
from lossbench.findings.number_formats import ends
from lossbench.findings.recommendation import advice_lines
from lossbench.findings.sentences import answer, outside_domain, verdict_hints, what_went_wrong
from lossbench.findings.tables import main_table, metric_table
from lossbench.report.caveats import limits
from lossbench.report.dataset_section import section
from lossbench.results.cells import CellResults


def said(*results: CellResults, n_seeds: int = 30, **report) -> str:
    return answer(main_table(sweep(*results, n_seeds=n_seeds, **report), list(results)))


BASE = cell_results(cell("binary_crossentropy"), 0.85 + NOISE)


def test_the_answer_of_a_clear_case_names_the_best_loss_and_the_differences():
    worse = cell_results(cell("squared_hinge", head="tanh"), 0.841 + NOISE + 0.001 * np.sign(NOISE))
    text = said(worse, BASE)
    assert text.startswith("On circles binary_crossentropy is best; squared_hinge is 0.")
    assert "points worse (30 seeds, " in text


def test_differences_of_rmse_are_in_its_unit_and_not_in_points():
    base = cell_results(cell("mean_squared_error", dataset="regression", head="linear"), 0.5 + NOISE)
    other = cell_results(cell("mean_absolute_error", dataset="regression", head="linear"), 0.4 + NOISE / 2)
    assert "mean_absolute_error is best; mean_squared_error is 0." in said(base, other)


def test_losses_that_cannot_be_told_apart_are_named_together():
    same = cell_results(cell("hinge", head="tanh"), 0.85 + NOISE)
    assert said(BASE, same) == "On circles binary_crossentropy and hinge give the same runs: none is better."
    near = cell_results(cell("hinge", head="tanh"), 0.8501 + NOISE * 1.1)
    assert said(BASE, near).endswith("do equally well (within 0.5 points).")
    loose = cell_results(cell("hinge", head="tanh"), 0.85 + 3 * NOISE[::-1])
    table = main_table(sweep(BASE, loose), [BASE, loose])
    assert "these 30 seeds cannot tell them apart" in answer(table)
    assert verdict_hints(table)[0].startswith("inconclusive: ")


def test_a_verdict_is_about_new_rows_and_says_what_it_is_on_these():
    rng = np.random.default_rng(0)
    # Half of the rows are easy for one loss, the others for the other one.
    easy = np.arange(200) % 2 == 0
    base = classified(cell("binary_crossentropy"), rng.random((30, 200)) < np.where(easy, 0.95, 0.65))
    other = classified(cell("hinge", head="tanh"), rng.random((30, 200)) < np.where(easy, 0.6, 0.92))
    table = main_table(sweep(base, other), [base, other])
    (found,) = [c for c in table.comparisons if c]
    assert (found.on_these_rows.verdict, found.verdict) == ("worse", "inconclusive")
    assert answer(table).endswith("these 30 seeds on 200 test rows cannot tell them apart.")
    first, last = verdict_hints(table)
    assert first == "verdicts are about new rows; on these 200 test rows alone: hinge worse."
    assert last.startswith("inconclusive: about ")
    assert last.endswith(" test rows would tell.")


def test_where_runs_fail_it_is_not_said_that_there_are_too_few():
    base = cell_results(BASE.cell, 0.85 + NOISE, stuck=range(27))
    other = cell_results(cell("hinge", head="tanh"), 0.85 + NOISE, stuck=range(28))
    table = main_table(sweep(base, other), [base, other])
    assert [table.verdict(i) for i in (0, 1)] == ["baseline", "too few work"]
    assert "too few work for a verdict, which needs 6 seeds in which both work." in verdict_hints(table)
    few = [cell_results(own.cell, 0.85 + NOISE[:3]) for own in (BASE, other)]
    assert main_table(sweep(*few, n_seeds=3), few).verdict(1) == "too few seeds"


def test_nothing_is_recommended_where_no_loss_beats_the_naive_predictor():
    rng = np.random.default_rng(0)
    cells = [cell("binary_crossentropy"), cell("hinge", head="tanh")]
    results = [classified(own, rng.random((30, 60)) < 0.72, share_of_ones=0.7) for own in cells]
    plan = sweep(*results)
    table = main_table(plan, results)
    (line,) = advice_lines(plan, table)
    assert line.startswith("No recommendation for circles: no loss is surely better than the naive predictor")
    hints = verdict_hints(table)
    assert any(hint.startswith("60 test rows are few: they alone leave an error of ± ") for hint in hints)
    learned = [classified(own, rng.random((30, 60)) < 0.97, share_of_ones=0.7) for own in cells]
    assert "train with" in advice_lines(plan, main_table(plan, learned))[0]


def test_the_answer_warns_of_few_seeds():
    other = cell_results(cell("hinge", head="tanh"), 0.8 + NOISE[:5])
    text = said(cell_results(BASE.cell, 0.85 + NOISE[:5]), other, n_seeds=5)
    assert "too few for a verdict (6 would do)" in text
    text = said(cell_results(BASE.cell, 0.85 + NOISE[:8]), cell_results(other.cell, 0.7 + NOISE[7::-1]), n_seeds=8)
    assert text.endswith("Under 10 seeds: take it with care.")


def test_missing_runs_refuse_the_comparison_unless_allowed():
    other = cell_results(cell("hinge", head="tanh"), 0.8 + NOISE, missing=(3, 4))
    assert "nothing is compared: 2 of 60 runs are missing or failed" in said(BASE, other)
    assert "binary_crossentropy is best" in said(BASE, other, allow_missing=True)
    table = main_table(sweep(BASE, other, allow_missing=True), [BASE, other])
    assert table.missing == {"hinge": 2}
    assert table.comparisons[1].difference.n == 28
    gone = cell_results(cell("hinge", head="tanh"), 0.8 + NOISE, missing=range(30))
    assert said(BASE, gone, allow_missing=True).endswith("hinge has no run.")


def test_runs_that_went_wrong_are_counted_with_their_seeds():
    values = 0.84 + NOISE
    values[[2, 9]] = np.nan
    diverged, why, stuck = what_went_wrong(cell_results(cell("hinge"), values, stuck=(5,)))
    assert stuck == "hinge: 1 of 30 stuck (seed 5; a rate of 0.6 to 16.7 %)"
    assert diverged.startswith("hinge: 2 of 30 diverged (seeds 2, 9; ")
    assert why.startswith("hinge: in epoch 1, before its first evaluation: likely the learning rate ")


def test_losses_outside_their_domain_are_not_recommended():
    outside = cell_results(cell("mean_squared_logarithmic_error", dataset="counts", outside=True), 0.1 + NOISE)
    inside = [
        cell_results(cell(name, dataset="counts"), value + NOISE)
        for name, value in (("mean_squared_error", 0.5), ("poisson", 0.3))
    ]
    text = said(outside, *inside)
    assert text.startswith("On counts poisson is best; mean_squared_error")


def test_the_baseline_is_the_one_with_the_same_settings():
    results = [
        cell_results(cell(loss, swept={"optimizer.learning_rate": rate}), 0.8 + NOISE)
        for loss in ("binary_crossentropy", "hinge")
        for rate in (0.01, 0.1)
    ]
    table = main_table(sweep(*results), results)
    pairs = {table.results[i].cell.label: table.results[j].cell.label for i, j in enumerate(table.baseline)}
    assert pairs["hinge/learning_rate=0.1"] == "binary_crossentropy/learning_rate=0.1"
    table = main_table(sweep(*results, baseline="hinge"), results)
    assert {table.results[j].cell.loss for j in table.baseline} == {"hinge"}


@pytest.mark.parametrize("n_seeds", [1, 3, 30])
def test_tables_fit_into_80_columns(n_seeds):
    names = ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
    results = [cell_results(cell(name, dataset="blobs", head="softmax"), (0.8 + NOISE)[:n_seeds]) for name in names]
    lines = summary_lines(sweep(*results, n_seeds=n_seeds), results)
    assert max(map(len, lines)) <= 80


def test_a_dagger_names_the_pair_and_the_reason():
    def outside(loss, dataset, head):
        return cell_results(cell(loss, dataset=dataset, head=head, outside=True), 0.5 + NOISE)

    results = [
        outside("mean_squared_logarithmic_error", "regression", "linear"),
        outside("mean_squared_logarithmic_error", "diabetes", "linear"),
        outside("mean_absolute_percentage_error", "regression", "linear"),
        outside("squared_earth_mover", "blobs", "softmax"),
        cell_results(cell("hinge", head="tanh"), 0.5 + NOISE),
    ]
    expected = (
        "mean_squared_logarithmic_error is made for targets from 0 up, which those of regression and diabetes are not; "
        "mean_absolute_percentage_error is made for targets above 0, which those of regression are not; "
        "squared_earth_mover is made for classes in an order, which those of blobs are not"
    )
    plan = sweep(*results)
    assert f"† outside the loss's domain: {expected}." in " ".join(summary_lines(plan, results))
    assert any(f"targets outside its domain: {expected}." in text for text in limits(plan, n_tables=3, tuned=True))
    assert outside_domain([results[-1].cell]) == ""


def test_the_margin_of_a_metric_follows_the_report_settings():
    other = cell_results(cell("hinge", head="tanh"), 0.842 + NOISE * 1.05)
    verdicts = [
        main_table(sweep(BASE, other, **report), [BASE, other]).comparisons[1].verdict
        for report in ({}, {"margin": 0.02}, {"margins": {"accuracy": 0.001, "subset_accuracy": 0.005, "rmse": 0.01}})
    ]
    assert verdicts == ["worse", "equivalent", "worse"]
    base = cell_results(cell("mean_squared_error", dataset="regression", head="linear"), 0.5 + NOISE)
    same = cell_results(cell("huber", dataset="regression", head="linear"), 0.5 + NOISE)
    (found,) = filter(None, main_table(sweep(base, same), [base, same]).comparisons)
    assert found.margin == pytest.approx(0.01 * (0.5 + NOISE.mean()))


@pytest.mark.parametrize(
    ("metric", "dataset", "margin"),
    [
        *(("balanced_accuracy", "circles", 0.005), ("matthews", "circles", 0.01), ("class_mae", "ordinal", 0.005)),
        # The metrics with a unit: a share of the baseline's mean.
        *(("mae", "regression", 0.005), ("mse", "regression", 0.01), ("pinball_0.9", "regression", 0.005)),
        *(("r2", "regression", 0.005), ("hamming_loss", "multilabel", 0.005)),
    ],
)
def test_each_metric_that_runs_are_judged_by_has_its_margin(metric, dataset, margin):
    base, other = (
        cell_results(cell(loss, dataset=dataset, head="linear", metric=metric), 0.5 + shift + NOISE)
        for loss, shift in (("mean_squared_error", 0.0), ("mean_absolute_error", 0.1))
    )
    table = main_table(sweep(base, other), [base, other])
    (found,) = filter(None, table.comparisons)
    assert table.metric == metric
    assert found.margin == pytest.approx(margin, rel=0.01)
    # A lower one is better where that is said of the metric.
    assert (found.verdict == "better") != table.lower_is_better


def test_another_metric_than_the_usual_one_is_said_with_what_the_usual_one_says_of_the_best_constant():
    results = cell_results(cell("hinge", metric="balanced_accuracy"), 0.7 + NOISE)
    for run in results.runs:
        run.info.naive["test/accuracy"] = 0.999
    said = "judged by balanced_accuracy, not by accuracy, of which the best constant has 0.999 already."
    assert said in verdict_hints(main_table(sweep(results), [results]))
    errors = cell_results(cell("huber", dataset="regression", head="linear", metric="mae"), 0.7 + NOISE)
    assert "judged by mae, not by rmse, the usual metric." in verdict_hints(main_table(sweep(errors), [errors]))
    assert not [line for line in verdict_hints(main_table(sweep(BASE), [BASE])) if "judged by" in line]


def test_a_loss_of_which_every_run_is_stuck_has_a_number_too():
    stuck = cell_results(cell("hinge", head="tanh"), 0.5 + 0 * NOISE, stuck=range(30))
    (line,) = [line for line in summary_lines(sweep(BASE, stuck), [BASE, stuck]) if line.startswith("hinge ")]
    assert line.split() == ["hinge", "tanh", "0.500", "(stuck)", "0", "worse"]
    plan = sweep(BASE, stuck)
    rows = section(plan, main_table(plan, [BASE, stuck])).rows
    assert [(row.value.split(" ")[1], row.n) for row in rows] == [("±", 30), ("(stuck)", 0)]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.2, 1500.0, "0.2 to 1500.0"),
        (454.178, 3199.274, "454 to 3199"),
        (999.7, 1000.2, "999.7 to 1000.2"),
        (-0.3, 1200.0, "-0.3 to 1200.0"),
        (12.0, 150.0, "12.0 to 150.0"),
        (0.0, 0.5, "0.000 to 0.500"),
        (1.5, 1.5, "1.500 to 1.500"),
    ],
)
def test_the_ends_of_an_interval_are_written_with_enough_decimals(low, high, text):
    assert ends("rmse", low, high) == text


def many_cells(n: int) -> list[CellResults]:
    """Return cells of hinge with swept rates, each a little better than the one before, and a baseline at one rate."""
    swept = [{"optimizer.learning_rate": round(0.001 * (i + 1), 3)} for i in range(n)]
    of_hinge = [
        cell_results(cell("hinge", head="tanh", swept=own), 0.7 + 0.001 * i + NOISE) for i, own in enumerate(swept)
    ]
    return [cell_results(cell("binary_crossentropy", swept=swept[0]), 0.6 + NOISE), *of_hinge]


def test_of_very_many_cells_the_best_mean_is_named_and_no_group():
    results = many_cells(70)
    assert said(*results) == (
        "On circles hinge/learning_rate=0.07 has the best mean of 71 cells; which others it cannot be told from is "
        "tested among up to 60."
    )
    results[1:] = [cell_results(r.cell, 0.7 + NOISE, stuck=range(30)) for r in results[1:]]
    results[0] = cell_results(results[0].cell, 0.5 + NOISE, stuck=range(30))
    assert said(*results) == "On circles no run works."


def test_of_many_cells_the_best_are_shown_with_their_baseline():
    results = many_cells(50)
    table = main_table(sweep(*results), results)
    shown = table.shown()
    assert [r.cell.name for r in shown.results[:40]] == [r.cell.name for r in table.results[:40]]
    assert [r.cell.loss for r in shown.results[40:]] == ["binary_crossentropy"]
    assert [shown.verdict(i) for i in range(41)] == [table.verdict(i) for i in [*range(40), 50]]
    assert table.results[table.best].cell == shown.results[shown.best].cell
    text = "\n".join(summary_lines(sweep(*results), results))
    assert "10 cells with worse means not shown: comparison.csv has all." in text
    assert text.count("hinge/learning_rate=0.0") >= 40
    few = many_cells(5)
    own = main_table(sweep(*few), few)
    assert own.shown() is own


def test_a_start_that_runs_failed_ones_again_says_if_there_are_none():
    plan = sweep(BASE)
    before = {BASE.cell.folder: {run.info.id: run for run in BASE.runs}}
    for rerun, said in (("none", "nothing to run"), ("failed", "nothing to run: no run ended in an error")):
        first, *_ = first_lines(replace(plan, rerun=rerun), before, {BASE.cell.folder: []})
        assert first.endswith(f"; {said}")


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "matthews"])
def test_an_answer_by_a_metric_that_is_no_sum_over_rows_is_given_too(metric):
    rng = np.random.default_rng(0)
    cells = [cell("binary_crossentropy", metric=metric), cell("hinge", head="tanh", metric=metric)]
    results = [classified(own, rng.random((30, 60)) < 0.8) for own in cells]
    table = metric_table(sweep(*results), results, metric)
    assert table.over_naive(0) is None
    assert answer(table)
    assert verdict_hints(table)


def test_where_no_run_works_nobody_is_told_to_compare_what_is_there():
    failed = [cell_results(own.cell, 0.85 + NOISE[:8], stuck=range(7), missing=(7,)) for own in (BASE, BASE)]
    assert said(*failed, n_seeds=8) == "On circles no run works."
    absent = [cell_results(own.cell, 0.85 + NOISE[:8], missing=range(8)) for own in (BASE, BASE)]
    assert "report.allow_missing=true" in said(*absent, n_seeds=8)
