"""What a sweep compares: losses, or another swept setting."""

import pytest
from support.plans import message, plan

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.findings.tables import baselines
from lossbench.planning.compared import value_in

TWO = ("-m", "dataset=circles", "optimizer=sgd,adam")


@pytest.mark.parametrize(
    ("argv", "compare"),
    [
        pytest.param(("-m", "loss=bce,hinge"), "loss", id="losses"),
        pytest.param(TWO, "optimizer", id="one setting"),
        pytest.param(("-m", "model.activation=relu,tanh"), "model.activation", id="one key"),
        pytest.param(("-m", "loss=hinge", "tune=none,learning_rate"), "tune", id="tuned and untuned"),
        pytest.param((*TWO, "report.compare=loss"), "loss", id="losses on request"),
        pytest.param((*TWO, "loss=bce,hinge"), "loss", id="losses and a setting"),
        pytest.param((*TWO, "loss=bce,hinge", "report.compare=optimizer"), "optimizer", id="a setting on request"),
        pytest.param((*TWO, "model.activation=relu,tanh"), "loss", id="two settings"),
        pytest.param((*TWO, "model.activation=relu,tanh", "report.compare=activation"), "model.activation", id="word"),
        pytest.param((*TWO, "dataset.noise=0.1,0.2"), "optimizer", id="a setting on several data sets"),
        pytest.param(("-m", "dataset.noise=0.1,0.2"), "loss", id="a setting of the data"),
        pytest.param(("-m", "dataset=friedman1", "loss=huber", "loss.delta=1,2"), "loss", id="a parameter of a loss"),
        pytest.param(("-m", "dataset=circles,iris", "optimizer=sgd,adam"), "optimizer", id="two tasks"),
    ],
)
def test_what_is_compared(argv, compare):
    made = plan(*argv)
    assert made.report.compare == compare
    unasked = compare != "loss" and not any(word.startswith("report.compare") for word in argv)
    note = f"compared: {compare}, the one setting that is swept (report.compare)"
    assert (note in made.notes) == unasked


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(
            (*TWO, "report.compare=optimiser"),
            "error: report.compare must be the loss or a swept setting; got optimiser.\n"
            "  hint: did you mean 'optimizer'?",
            id="misspelt",
        ),
        pytest.param(
            ("-m", "loss=bce,hinge", "report.compare=optimizer"),
            "error: report.compare must be the loss or a swept setting; got optimizer.\n  hint: there is loss.",
            id="not swept",
        ),
        pytest.param(
            (*TWO, "report.baseline=adm"),
            "error: report.baseline must be a swept value of optimizer; got adm.\n  hint: did you mean 'adam'?",
            id="unknown baseline",
        ),
    ],
)
def test_what_cannot_be_compared(argv, said):
    assert message(*argv) == said


def test_the_experiment_on_optimizers_gives_each_a_rate_of_its_own_and_compares_nothing_else():
    made = plan("experiment=optimizers")
    by_data = {data: [cell for cell in made.cells if cell.data == data] for data in {cell.data for cell in made.cells}}
    assert (made.report.compare, len(by_data)) == ("optimizer", 4)
    for cells in by_data.values():
        assert [value_in(cell, "optimizer") for cell in cells] == list(OPTIMIZERS)
        assert len({cell.loss for cell in cells}) == 1
        assert all(cell.is_tuned for cell in cells)
        assert set(baselines(cells, made.report).values()) == {0}
