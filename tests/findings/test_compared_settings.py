"""Another swept setting is compared instead of the loss: who is whose baseline, and how it is said."""

import numpy as np
import pytest
from support.plans import plan
from support.results import NOISE, cell, cell_results, sweep

from lossbench.findings.recommendation import advice_lines, plain_answer
from lossbench.findings.sentences import verdict_hints
from lossbench.findings.tables import main_table

HEADS = {"binary_crossentropy": "sigmoid", "hinge": "tanh"}


def results(*rows: tuple[str, dict, float]):
    return [
        cell_results(cell(loss, head=HEADS[loss], swept=swept), mean + NOISE + 0.001 * np.sign(NOISE) * i)
        for i, (loss, swept, mean) in enumerate(rows)
    ]


ONE_LOSS = [("binary_crossentropy", {"optimizer": name}, mean) for name, mean in (("sgd", 0.8), ("adam", 0.84))]
TWO_LOSSES = [
    *ONE_LOSS,
    ("hinge", {"optimizer": "sgd"}, 0.7),
    ("hinge", {"optimizer": "adam"}, 0.6),
]
TWO_SETTINGS = [
    ("hinge", {"optimizer": optimizer, "model.activation": activation}, mean)
    for optimizer, activation, mean in (
        *(("sgd", "relu", 0.8), ("sgd", "tanh", 0.82)),
        *(("adam", "relu", 0.7), ("adam", "tanh", 0.6)),
    )
]
BCE, HINGE = "binary_crossentropy", "hinge"


@pytest.mark.parametrize(
    ("rows", "report", "verdicts"),
    [
        pytest.param(
            ONE_LOSS,
            {"compare": "optimizer"},
            {f"{BCE}/optimizer=sgd": "baseline", f"{BCE}/optimizer=adam": "better"},
            id="one loss",
        ),
        pytest.param(
            ONE_LOSS,
            {"compare": "optimizer", "baseline": "adam"},
            {f"{BCE}/optimizer=sgd": "worse", f"{BCE}/optimizer=adam": "baseline"},
            id="another baseline",
        ),
        pytest.param(
            TWO_LOSSES,
            {"compare": "optimizer"},
            {
                f"{BCE}/optimizer=sgd": "baseline",
                f"{BCE}/optimizer=adam": "better",
                f"{HINGE}/optimizer=sgd": "baseline",
                f"{HINGE}/optimizer=adam": "worse",
            },
            id="at the same loss",
        ),
        pytest.param(
            TWO_SETTINGS,
            {"compare": "model.activation"},
            {
                f"{HINGE}/optimizer=sgd/activation=relu": "baseline",
                f"{HINGE}/optimizer=sgd/activation=tanh": "better",
                f"{HINGE}/optimizer=adam/activation=relu": "baseline",
                f"{HINGE}/optimizer=adam/activation=tanh": "worse",
            },
            id="at the same other setting",
        ),
        pytest.param(
            TWO_LOSSES,
            {"compare": None},
            {
                f"{BCE}/optimizer=sgd": "baseline",
                f"{BCE}/optimizer=adam": "baseline",
                f"{HINGE}/optimizer=sgd": "worse",
                f"{HINGE}/optimizer=adam": "worse",
            },
            id="of an earlier plan",
        ),
    ],
)
def test_each_value_is_compared_with_the_first_one_at_the_same_other_settings(rows, report, verdicts):
    found = results(*rows)
    table = main_table(sweep(*found, **report), found)
    assert {r.cell.label: table.verdict(i) for i, r in enumerate(table.results)} == verdicts


def test_rows_that_all_are_baselines_say_how_to_compare_them():
    found = results(*TWO_SETTINGS)
    assert verdict_hints(main_table(sweep(*found), found))[0] == (
        "each row is a baseline, as the loss is the same in all; report.compare=optimizer or "
        "report.compare=model.activation compares them, with lossbench-report too."
    )
    compared = main_table(sweep(*found, compare="optimizer"), found)
    assert not [line for line in verdict_hints(compared) if "baseline" in line]


def test_sentences_speak_of_settings_and_name_the_value():
    found = results(*ONE_LOSS)
    plan = sweep(*found, compare="optimizer")
    table = main_table(plan, found)
    assert (table.heading, table.noun) == ("loss/optimizer", "setting")
    first = advice_lines(plan, table)[0]
    assert first.startswith(f"Recommendation for circles: train with {BCE}/optimizer=adam; it is better than {BCE}")
    assert plain_answer(table).startswith(f"Train on circles with {BCE}/optimizer=adam: expect")
    turned = main_table(sweep(*found, compare="optimizer", baseline="adam"), found)
    assert "it is better than every other setting here" in advice_lines(plan, turned)[0]


def test_a_comparison_of_optimizers_says_that_each_has_its_configured_learning_rate():
    def hints(*words: str) -> list[str]:
        own = plan("-m", "dataset=circles", "loss=bce", "optimizer=sgd,adam", *words)
        found = [cell_results(each, 0.85 + NOISE * (i + 1)) for i, each in enumerate(own.cells)]
        return verdict_hints(main_table(own, found))

    said = "each optimizer has its configured learning rate (sgd 0.01 and adam 0.001): tune=learning_rate finds one for"
    assert hints()[0].startswith(said)
    assert not any("learning rate" in line for line in hints("tune=learning_rate"))
