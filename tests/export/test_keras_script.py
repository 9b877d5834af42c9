"""What a sweep recommends, and its training as a script of plain Keras that gives the same."""

import csv
import json
import re

import numpy as np
import pytest
from support.commands import run
from support.exports import cell_of, house, plain_python
from support.results import cell, cell_results, sweep
from support.sweeps import Sweep
from support.tables import lines_of

from lossbench.datasets.loading import load
from lossbench.export.function_source import Source
from lossbench.export.keras_script import keras_script
from lossbench.findings.recommendation import advice, training_command, typical_run
from lossbench.findings.tables import main_table
from lossbench.losses.heads import HEADS
from lossbench.metrics.catalogue import main_metrics
from lossbench.metrics.evaluation import evaluate
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan
from lossbench.results.cells import CellResults
from lossbench.tuning.study_files import Outcome


def test_the_script_of_a_cell_reproduces_the_sweeps_metric(smoke: Sweep, tmp_path):
    done = run(
        tmp_path, "keras", "smoke", "circles/hinge/tanh", command="lossbench-export", LOSSBENCH_HOME=str(smoke.home)
    )
    assert done.status == 0, done.err
    (script,) = tmp_path.glob("*.py")
    seed = int(re.search(r"with seed (\d+)", done.out)[1])
    with open(smoke.folder / "results.csv") as file:
        rows = {(row["cell"], row["seed"]): row for row in csv.DictReader(file)}
    said, value = plain_python(script, tmp_path).rsplit(" ", 1)
    assert said == "test accuracy"
    assert float(value) == pytest.approx(float(rows["circles/hinge/tanh", str(seed)]["test/accuracy"]), abs=1e-5)


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["dataset=circles", "loss=bce"], ["keras.losses.BinaryCrossentropy(label_smoothing=0.0)", "'sigmoid'"]),
        (["dataset=digits", "loss=gce"], ["def softmax_generalized_crossentropy", "Dense(10),", "load_digits"]),
        (["dataset=friedman1", "loss=gaussian_nll"], ["def gaussian_nll", "LEAST_VARIANCE", "Dense(2)", "y_scaler"]),
        (["dataset=spirals", "loss=exponential"], ["def make_spirals", "def bounded_exponential"]),
        (["dataset=iris", "loss=expected_cost"], ["costs=np.array([[0.0, 1.0, 1.0]"]),
        (["dataset=iris", "loss=multiclass_hinge"], ["def multiclass_hinge", "Dense(3)"]),
        (["dataset=wine", "model.batch_normalization=true", "optimizer=adamw"], ["BatchNormalization", "AdamW("]),
    ],
)
def test_a_script_has_all_that_it_needs_and_nothing_of_this_package(argv, parts):
    text = keras_script(cell_of(*argv), {}, 3, 0.5)
    compile(text, "script", "exec")
    assert "lossbench" not in text.split('"""')[2]
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("dataset", "metric"),
    [
        *(("friedman1", metric) for metric in main_metrics("regression", ordered=False)),
        *(("circles", metric) for metric in main_metrics("binary", ordered=False)),
        *(("ordinal", metric) for metric in main_metrics("multiclass", ordered=True)),
        *(("multilabel", metric) for metric in main_metrics("multilabel", ordered=False)),
    ],
)
def test_a_script_prints_the_metric_that_the_cell_is_judged_by(dataset, metric, capsys):
    own = cell_of(f"dataset={dataset}", f"metric={metric}", "dataset.standardize.y=none")
    y = load(own.settings.dataset).splits["test"].y
    raw = np.random.default_rng(0).normal(size=(len(y), own.n_outputs if own.n_outputs != 2 else 1)).astype(np.float32)
    text = keras_script(own, {}, 3, 0.5)
    imports = [line for line in text.splitlines() if line.startswith("from sklearn.metrics")]
    judge = text.partition("verbose=0)\n\noutput")[2].partition("\n")[2]
    given = {"np": np, "output": HEADS[own.head].activate(raw), "y": y, "test": slice(None)}
    exec("\n".join([*imports, judge]), given)
    said, value = capsys.readouterr().out.rsplit(" ", 1)
    assert said == f"test {metric}"
    assert float(value) == pytest.approx(evaluate(own.pair, y, raw, ordered=True)[metric], rel=1e-5)


CELLS = [("{x}%", "{z}.5", "{w} ", "{y}"), ("{x}", "{z}.5", "{w}", "${y}"), ("{x} %", "{z}'000.5", "{w}", "{y}")]
SIGNS = ["\n".join(lines_of("a|b|c|y", "|".join(cells)).splitlines()) + "\n" for cells in CELLS]
JSON = "".join(json.dumps({"a": i % 7, "c": "uv"[i * i % 3 % 2], "y": i * 41 % 97 / 4}) + "\n" for i in range(60))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"signs{i}.csv", text.replace("|", ",")) for i, text in enumerate(SIGNS)),
        ("excel.csv", "sep=;\n" + SIGNS[0].replace("|", ";")),
        ("comments.csv", "# one\n# two\n" + SIGNS[1].replace("|", ",")),
        ("blanks.csv", SIGNS[1].replace("|", ", ")),
        ("lines.jsonl", JSON),
    ],
)
def test_the_script_reads_a_file_as_the_sweep_does(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    cell = cell_of(f"dataset.path={tmp_path / name}", "dataset.target=y", "repeat=seeds")
    text = keras_script(cell, {}, 3, 0.5).partition("# Targets as the loss takes them.")[0]
    made: dict = {}
    exec(compile(text, "script", "exec"), made)
    data = load(cell.settings.dataset)
    for split in ("train", "test"):
        np.testing.assert_allclose(made["x"][made[split]], data.splits[split].x, atol=1e-6)
        np.testing.assert_allclose(made["y"][made[split]], data.splits[split].y, atol=1e-6)


PLACE = np.arange(60)
ARRAYS = {
    "numbers": {"x": PLACE[:, None] * [37, 53] % 101 / 8, "y": PLACE * 41 % 97 / 4},
    "classes": {"x": PLACE[:, None] * [37, 53] % 101 / 8, "y": np.array(["red", "green", "blue"])[PLACE % 3]},
    "one-hot": {"x": PLACE[:, None] * [37, 53] % 101, "y": np.eye(3)[PLACE % 3]},
    "pictures": {"x": (PLACE[:, None, None] * np.arange(16).reshape(4, 4) % 256).astype(np.uint8), "y": PLACE % 2},
    "gaps": {"x": np.where(PLACE[:, None] % 9 == [4, 10], np.nan, PLACE[:, None] * [37, 53] % 101), "y": PLACE / 7},
}


@pytest.mark.parametrize("name", ARRAYS)
def test_the_script_reads_arrays_as_the_sweep_does(name, tmp_path):
    np.savez(tmp_path / "data.npz", **ARRAYS[name])
    for missing in ("impute", "drop"):
        argv = ["repeat=seeds", "model=mlp", f"dataset.missing={missing}"]
        cell = cell_of(f"dataset.path={tmp_path / 'data.npz'}", *argv)
        text = keras_script(cell, {}, 3, 0.5).partition("# Targets as the loss takes them.")[0]
        made: dict = {}
        exec(compile(text, "script", "exec"), made)
        data = load(cell.settings.dataset)
        for split in ("train", "test"):
            np.testing.assert_allclose(made["x"][made[split]], data.splits[split].x, atol=1e-6)
            np.testing.assert_allclose(made["y"][made[split]], data.splits[split].y, atol=1e-6)


def test_the_script_of_a_function_calls_it(tmp_path, monkeypatch):
    (tmp_path / "own_maker.py").write_text(
        "def make(n):\n    return [[i, i % 7] for i in range(n)], [i / 7 for i in range(n)]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    argv = ["dataset.function=own_maker:make", "dataset.parameters={n: 60}", "repeat=seeds"]
    text = keras_script(cell_of("dataset=custom", *argv), {}, 3, 0.5)
    assert "from own_maker import make" in text
    assert "x, y = map(np.asarray, make(n=60))" in text


def test_the_script_uses_the_values_that_a_study_chose():
    text = keras_script(cell_of("dataset=circles"), {"optimizer.learning_rate": 0.0625}, 0, 0.5)
    assert "SGD(learning_rate=0.0625, momentum=0.9" in text


@pytest.mark.parametrize(
    "argv", [["model=rnn", "dataset=digits"], ["schedule=cosine"], ["corruption=label_noise", "corruption.rate=0.1"]]
)
def test_settings_that_the_script_cannot_express_are_an_error(argv):
    from lossbench.ground.errors import UsageError

    with pytest.raises(UsageError, match="the script is written for a plain training, without "):
        keras_script(cell_of(*argv), {}, 0, 0.5)


def test_a_source_includes_the_definitions_that_it_uses_in_order():
    source = Source()
    source.add("lossbench.losses.classification:softmax_poly1_crossentropy")
    assert source.imports == ["import tensorflow as tf"]
    assert [text.split("(")[0] for text in source.definitions] == [
        "def _log_probabilities",
        "def softmax_poly1_crossentropy",
    ]
    assert '"""' not in "".join(source.definitions)


# ---- The recommendation.


def table_of(**values):
    """Return the table of a data set whose losses have these test accuracies."""
    results = [cell_results(cell(name), accuracies) for name, accuracies in values.items()]
    plan = sweep(*results, n_seeds=len(next(iter(values.values()))))
    return main_table(plan, results)


NOISE = np.random.default_rng(0).normal(0, 0.004, size=20)


def test_the_baseline_is_recommended_if_no_loss_is_better():
    found = advice(table_of(binary_crossentropy=0.85 + NOISE, hinge=0.851 + NOISE[::-1]))
    assert found.results.cell.loss == "binary_crossentropy"
    assert "no other loss is better" in found.reason


def test_a_better_loss_is_recommended_with_its_difference():
    found = advice(table_of(binary_crossentropy=0.80 + NOISE, hinge=0.85 + NOISE[::-1]))
    assert found.results.cell.loss == "hinge"
    assert re.search(r"it is better than binary_crossentropy in test accuracy, by 4\.\d to 5\.\d points", found.reason)


def test_few_seeds_give_no_recommendation():
    assert advice(table_of(binary_crossentropy=0.80 + NOISE[:5], hinge=0.9 + NOISE[:5])) is None


def test_the_training_command_has_the_cells_settings_and_the_studys_values():
    cell = make_plan(
        read_overrides(["dataset=circles", "loss=hinge", "epochs=7", "seeds=4"], multirun=False), ""
    ).cells[0]
    text = training_command(CellResults(cell, []), None)
    assert text.startswith("lossbench dataset=circles loss=hinge")
    assert "epochs=7" in text
    assert "seeds=" not in text


def test_every_value_of_a_study_stands_in_the_training_command():
    cell = cell_of("dataset=circles")
    chosen = {"optimizer": "adam", "batch_size": 32, "optimizer.learning_rate": 0.0123456789}
    outcome = Outcome(
        study="s",
        metric="log_loss",
        n_trials=1,
        n_failed=0,
        number=0,
        parameters=chosen,
        value=0.1,
        tolerance=(0.01, 0.02),
        edge="",
        low=0.001,
        high=0.1,
        reason="",
        started=0.0,
        ended=1.0,
    )
    text = training_command(CellResults(cell, []), outcome)
    assert text.endswith("optimizer=adam batch_size=32 optimizer.learning_rate=0.0123457")


def test_a_cell_without_a_working_run_has_no_typical_run():
    assert typical_run(CellResults(cell_of("dataset=circles"), [])) is None


@pytest.mark.slow
def test_advice_on_a_file_ends_with_a_recommendation_that_plain_keras_confirms(tmp_path):
    house(tmp_path / "house.csv")
    options = ["dataset.path=house.csv", "dataset.target=price", "dataset.missing=impute", "tune.trials=4", "epochs=20"]
    done = run(tmp_path, "-m", "experiment=advise", *options, "name=house", "tracking.enabled=false")
    assert done.status == 0, done.err
    # The price is a linear function, so a linear model may be better; the network to train is named all the same.
    said = " ".join(done.out.split())
    assert re.search(r"Recommendation for house\.csv: (.*\. If it must be this network, )?train with ", said)
    command = next(line for line in done.out.splitlines() if line.startswith("  it is trained by: "))
    assert "dataset.path=house.csv" in command
    assert "optimizer.learning_rate=" in command
    written = run(tmp_path, "keras", "house", command="lossbench-export")
    assert written.status == 0, written.err
    (script,) = tmp_path.glob("*.py")
    expected = float(re.search(r"train rmse ([\d.]+), trained on all rows; expect rmse [\d.]+ ±", written.out)[1])
    assert float(plain_python(script, tmp_path).rsplit(" ", 1)[1]) == pytest.approx(expected, rel=1e-4)
