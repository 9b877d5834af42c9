"""Saved models: what a network answers for new rows is what the sweep found it to predict."""

import csv
import dataclasses
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from support.commands import Done, environment, run
from support.exports import cell_of, house, plain_python
from support.pictures import bars
from support.settings import shipped
from support.sweeps import Sweep

from lossbench.config.settings import group_settings
from lossbench.datasets.loading import load
from lossbench.datasets.user_file.columns import as_text
from lossbench.export.saved_model import serving
from lossbench.export.saved_model.contents import model_contents
from lossbench.export.saved_model.packing import write_model
from lossbench.export.saved_model.reading import NAME, NoModelError, read_contents
from lossbench.ground.run_ids import RunId
from lossbench.jobs.prepare import PreparedCell
from lossbench.jobs.run_cell import run_cell
from lossbench.losses.heads import HEADS, LEAST_VARIANCE, decide
from lossbench.results.part_files import read_run

ROWS, TRAIN = 120, 80
TARGETS = ["price", "sold", "grade", "garden", "pool", "east", "west", "north"]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A file with numbers, texts, gaps, a text that only later rows have, and a target of every kind."""
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (ROWS, 2)).round(3)
    shares = rng.dirichlet([2, 2, 2], ROWS)
    frame = pd.DataFrame({"area": x[:, 0], "rooms": rng.integers(1, 7, ROWS), "old": x[:, 1] > 3})
    frame["town"] = rng.choice(["Aue", "Bern", "Chur"], ROWS)
    frame["zone"] = rng.integers(1, 4, ROWS)
    frame.loc[ROWS - 5 :, "town"] = "Davos"
    frame["price"] = (1000 + 50 * x[:, 0] + rng.normal(0, 5, ROWS)).round(2)
    frame["sold"] = np.where(x[:, 0] + x[:, 1] > 6, "yes", "no")
    frame["grade"] = rng.integers(1, 4, ROWS)
    frame["garden"], frame["pool"] = rng.integers(0, 2, ROWS), rng.integers(0, 2, ROWS)
    frame["east"], frame["west"], frame["north"] = shares.T
    frame.loc[[3, 70, 110], "area"] = np.nan
    frame.loc[[5, 111], "town"] = None
    path = tmp_path_factory.mktemp("table") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def trained(cell, folder: Path):
    """Return a cell's run of seed 0 as it lies on disk."""
    run_cell(cell, folder, [RunId(0)], 1)
    found = read_run(folder / "parts" / "seed=0.npz")
    assert found.info.status == "finished", found.info.error
    return found


def model_of(found, folder: Path):
    write_model(found, folder / "model")
    return mlflow.pyfunc.load_model(str(folder / "model"))


def of_table(table: Path, *options: str, leaves: tuple[str, ...] = ()):
    others = [name for name in TARGETS if not any(name in option for option in options[:1])]
    return cell_of(
        *("dataset=csv", f"dataset.path={table}", "dataset.missing=impute", "dataset.categorical=[zone]"),
        *(
            f"dataset.leave_out=[{','.join(others)}]",
            f"dataset.split.train={TRAIN}",
            f"dataset.split.test={ROWS - TRAIN}",
        ),
        *("dataset.split.seed=null", "tune=none", "epochs=1", "trainer=fit", "model.hidden_units=[6]", *options),
    )


@pytest.mark.parametrize(
    "options",
    [
        ("dataset.target=price",),
        ("dataset.target=price", "loss=gaussian_nll"),
        ("dataset.target=price", "loss=poisson", "dataset.standardize.y=none", "dataset.standardize.x=minmax"),
        ("dataset.target=sold",),
        ("dataset.target=sold", "loss=hinge", "dataset.standardize.x=robust"),
        ("dataset.target=sold", "loss=mse", "head=linear"),
        ("dataset.target=sold", "loss=cce", "head=softmax", "dataset.standardize.x=none"),
        ("dataset.target=grade",),
        ("dataset.target=grade", "loss=categorical_hinge"),
        ("dataset.target=[garden,pool]",),
        ("dataset.target=[east,west,north]",),
    ],
    ids=lambda options: " ".join(option.partition(".")[2] or option for option in options),
)
def test_a_model_of_a_file_predicts_what_its_run_predicted(table, tmp_path, options):
    cell = of_table(table, *options)
    found = trained(cell, tmp_path)
    rows = pd.read_csv(table).iloc[TRAIN:]
    # In another order and with columns that it does not know, as files of users are.
    model = model_of(found, tmp_path)
    with pytest.warns(UserWarning, match=r"column 'town': 5 cells have a text that no training row had .'Davos'"):
        answer = model.predict(rows[rows.columns[::-1]])
    assert answer.index.equals(rows.index)
    raw = np.asarray(found.arrays["raw/test"], np.float64)
    prediction, dataset = HEADS[cell.head].activate(raw), PreparedCell(cell).dataset
    names = cell.settings.dataset.target
    if cell.task in ("regression", "shares"):
        expected = dataset.in_unit(prediction[:, : len(names)])
        np.testing.assert_allclose(answer[names], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    elif cell.task == "multilabel":
        assert (answer[names] == decide(raw, cell.head, cell.pair.encoding, cell.task)).all(axis=None)
    else:
        labels = np.array(cell.settings.dataset.facts.labels)
        decided = decide(raw, cell.head, cell.pair.encoding, cell.task).astype(int)
        assert list(answer[names[0]].astype(str)) == list(labels[decided])
    probable = [name for name in answer if name.startswith("probability of ")]
    assert bool(probable) == (cell.pair.probability and cell.task != "shares")
    if probable:
        own = answer[probable].to_numpy()[:, -prediction.shape[1] :]
        np.testing.assert_allclose(own, prediction, rtol=1e-5, atol=1e-6)
    if cell.head == "gaussian":
        variance = prediction[:, 1:]
        assert (variance > LEAST_VARIANCE).all()
        expected = np.sqrt(variance) * dataset.target_scaling.scale
        np.testing.assert_allclose(answer[["standard deviation of price"]], expected, rtol=1e-5)


def test_a_model_of_an_array_predicts_in_the_targets_own_unit(tmp_path):
    from sklearn.datasets import make_regression

    cell = cell_of("dataset=regression", "dataset.standardize.metrics=scaled", "epochs=30")
    found = trained(cell, tmp_path)
    x, y = make_regression(**cell.settings.dataset.parameters)
    answer = model_of(found, tmp_path).predict(x)
    assert list(answer) == ["y"]
    assert np.std(answer["y"] - y) < 0.2 * np.std(y)
    inputs = json.loads((tmp_path / NAME).read_text())["inputs"]
    with pytest.raises(ValueError, match="takes rows of 20 numbers; got shape"):
        serving.features(inputs, x[:, :3])
    with pytest.raises(ValueError, match="takes finite numbers; row 1 has others"):
        serving.features(inputs, np.where(np.arange(len(x))[:, None] == 1, np.nan, x))


def test_a_model_of_pictures_takes_them_as_they_are_read(tmp_path):
    pictures = np.stack([bars(i, upright=bool(i % 2))[..., 0] for i in range(40)])
    path = tmp_path / "data.npz"
    np.savez(path, x=pictures, y=np.array(["lying", "upright"])[np.arange(40) % 2])
    one = ["repeat=seeds", "epochs=2", "tune=none", "loss=bce", "model.filters=[2]", "model.hidden_units=[]"]
    cell = cell_of(f"dataset.path={path}", *one)
    found = trained(cell, tmp_path / "cell")
    model = model_of(found, tmp_path / "cell")
    answer = model.predict(pictures)
    assert set(answer["y"]) <= {"lying", "upright"}
    flat = model.predict(pictures.reshape(40, -1))
    np.testing.assert_array_equal(answer["probability of upright"], flat["probability of upright"])
    test = load(cell.settings.dataset).splits["test"].x
    again = model.predict(test * 255)["probability of upright"]
    np.testing.assert_allclose(again, 1 / (1 + np.exp(-found.arrays["raw/test"][:, 0].astype(float))), atol=1e-5)
    with pytest.raises(ValueError, match=r"or pictures of shape \(12, 12, 1\); got shape \(40, 6, 24\)"):
        model.predict(pictures.reshape(40, 6, 24))


def test_all_problems_of_rows_are_reported_together(table, tmp_path):
    cell = of_table(table, "dataset.target=price", "dataset.missing=drop", "dataset.split.test=30")
    model = model_of(trained(cell, tmp_path), tmp_path)
    good = {"area": [1.0], "rooms": [2], "old": [True], "town": ["Bern"], "zone": [1]}
    assert len(model.predict(pd.DataFrame(good))) == 1
    assert len(model.predict(pd.DataFrame(good).iloc[:0])) == 0
    with pytest.raises(
        ValueError, match=r"'area' needs a value.*row 0 has none.*'rooms' takes finite numbers; got 'b'"
    ):
        model.predict(pd.DataFrame({**good, "area": [None], "rooms": ["b"]}))
    renamed = pd.DataFrame(good).rename(columns={"rooms": "Rooms", "town": " town "})
    with pytest.raises(ValueError, match=r"there is no column 'rooms' .is it 'Rooms'"):
        model.predict(renamed)
    assert len(model.predict(renamed.rename(columns={"Rooms": "rooms"}))) == 1
    twice = pd.concat([pd.DataFrame(good), pd.DataFrame(good)[["area"]]], axis=1)
    with pytest.raises(ValueError, match="column 'area' is there 2 times"):
        model.predict(twice)
    for value in (pd.Timestamp("2000-01-01"), pd.Timedelta(days=1), 1j):
        with pytest.raises(ValueError, match="column 'rooms' takes finite numbers"):
            model.predict(pd.DataFrame(good).assign(rooms=[value]))


def test_values_become_the_same_texts_in_training_and_prediction():
    for value in ("a", 1, 1.0, 1.5, True, np.int64(3), np.float32(2), np.bool_(True)):
        assert as_text(value) == serving.as_text(value)
    assert [as_text(value) for value in (2.0, 2, "2", True)] == ["2", "2", "2", "True"]


class Gate(keras.layers.Layer):
    """A layer of a user's own."""

    def call(self, inputs):
        return inputs


def wave(x):
    """Return an activation of a user's own."""
    return x * keras.ops.sin(x)


OWN = {
    "layer": lambda: keras.Sequential([keras.layers.Dense(4), Gate()]),
    "function": lambda: keras.layers.Dense(4, activation=wave),
    "operation": lambda: keras.layers.Dense(4, activation=keras.ops.sin),
    "nameless": lambda: keras.layers.Dense(4, activation=lambda x: x * x),
    "lambda": lambda: keras.layers.Lambda(lambda x: 2.0 * x),
}


def body(kind="plain"):
    """Return a network's body of a user's own."""
    plain = (keras.layers.Dense(4, activation="silu"), keras.layers.LayerNormalization())
    return OWN[kind]() if kind in OWN else keras.Sequential(list(plain))


CUSTOM = ("dataset=circles", "model=custom", "model.function=test_saved_model:body", "epochs=1", "trainer=fit")


@pytest.mark.parametrize("kind", OWN)
def test_a_network_that_needs_the_users_code_gives_no_model(kind):
    cell = cell_of(*CUSTOM, f"model.parameters={{kind: {kind}}}")
    prepared = PreparedCell(cell)
    problem = model_contents(cell, prepared.dataset, prepared.structure.network)["problem"]
    assert problem.startswith("its network has something that ")


def test_a_custom_network_of_keras_own_layers_gives_a_model(tmp_path):
    found = trained(cell_of(*CUSTOM), tmp_path)
    assert set(model_of(found, tmp_path).predict(np.zeros((3, 2)))["y"]) <= {0, 1}


def test_a_cell_of_an_older_version_gives_no_model(tmp_path):
    with pytest.raises(NoModelError, match="of an earlier version"):
        read_contents(tmp_path)


def test_class_labels_keep_their_names_and_types():
    cell = cell_of("dataset=circles")
    dataset, network = PreparedCell(cell).dataset, PreparedCell(cell).structure.network
    for names, expected in (
        (["①", "--1"], ["①", "--1"]),
        (["-1", "20"], [-1, 20]),
        (["01", "2"], ["01", "2"]),
        (["False", "True"], [False, True]),
    ):
        facts = {"labels": names, "n_outputs": 2, "n_samples": 9, "target_range": [0, 1], "numbers": ["a"]}
        facts |= {"categories": [], "left_out": {}, "digest": "0"}
        file = shipped("dataset", "csv", path="x.csv", task="binary", target=["kind"], file=facts)
        settings = dataclasses.replace(cell.settings, dataset=group_settings("dataset", file))
        own = dataclasses.replace(cell, settings=settings)
        assert model_contents(own, dataset, network)["outputs"]["labels"] == expected


def test_markers_of_missing_values_are_recognised_in_prediction(table, tmp_path):
    rows = pd.read_csv(table).astype({"area": object, "town": object})
    rows.loc[rows["area"].isna(), "area"] = -999
    rows.loc[rows["town"].isna(), "town"] = "?"
    rows.to_csv(tmp_path / "marked.csv", index=False)
    marked = of_table(tmp_path / "marked.csv", "dataset.target=price", 'dataset.missing_values=["?",-999]')
    plain = of_table(table, "dataset.target=price")
    first, second = (model_of(trained(c, tmp_path / n), tmp_path / n) for c, n in ((marked, "a"), (plain, "b")))
    with pytest.warns(UserWarning, match="Davos"):
        answers = first.predict(pd.read_csv(tmp_path / "marked.csv")), second.predict(pd.read_csv(table))
    np.testing.assert_allclose(*answers)


def test_texts_are_recognised_whatever_type_the_reader_gave_them():
    fitted = {"levels": [["01", "02", "A1", "red", "7"]], "fill": None}
    inputs = {"names": [], "texts": ["zone"], "missing_values": [], "fitted": {"numbers": None, "texts": fitted}}

    def places(*cells):
        encoded = serving.features(inputs, pd.DataFrame({"zone": cells}))
        return [int(row.argmax()) if row.any() else None for row in encoded]

    assert places(1, 2, 7) == [0, 1, 4]
    assert places("01", " A1", " red", "007", "7.0") == [0, 2, 3, 4, 4]
    with pytest.warns(UserWarning, match=r"column .zone.: 2 cells have a text that no training row had .'blue'"):
        assert places("red", "blue", "nan") == [3, None, None]


# ---- In MLflow.

USE = """
import sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
rows = pandas.read_csv("house.csv").iloc[160:]
answer = mlflow.pyfunc.load_model(sys.argv[2]).predict(rows)
print(float(((answer.price - rows.price) ** 2).mean() ** 0.5))
"""


def kept(home: Path) -> list[tuple[str, str, str]]:
    """Return the id, the run and the stage of each model in the store."""
    with sqlite3.connect(home / "mlruns" / "mlflow.db") as db:
        return db.execute("SELECT model_id, source_run_id, lifecycle_stage FROM logged_models").fetchall()


def sweep_of_houses(home: Path, *more: str) -> Done:
    house(home / "house.csv")
    options = ["dataset=csv", "dataset.path=house.csv", "dataset.target=price", "dataset.missing=impute", "name=house"]
    options += [
        "dataset.split.train=160",
        "dataset.split.test=80",
        "dataset.split.seed=null",
        "loss=mse,mae",
        "seeds=3",
    ]
    done = run(home, "-m", *options, "epochs=30", *more)
    assert done.status == 0, done.err
    return done


def test_the_best_model_is_in_mlflow_and_predicts_without_this_package_or_pickle(tmp_path):
    sweep_of_houses(tmp_path)
    ((model, source, _),) = kept(tmp_path)
    (tmp_path / "use.py").write_text(USE)
    store = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    forbidden = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    said = plain_python(tmp_path / "use.py", tmp_path, store, f"models:/{model}", **forbidden)
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as db:
        tags = dict(db.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (source,)).fetchall())
    with open(tmp_path / "multirun" / "house" / "results.csv") as file:
        rows = {(row["cell"], row["seed"]): float(row["test/rmse"]) for row in csv.DictReader(file)}
    assert float(said) == pytest.approx(rows[tags["cell"], tags["seed"]], rel=1e-5)


@pytest.mark.slow
def test_a_model_is_written_to_mlflow_once_and_stays_deleted(tmp_path):
    sweep_of_houses(tmp_path)
    first = kept(tmp_path)
    sweep_of_houses(tmp_path, "tracking.models=all")
    assert len(kept(tmp_path)) == 2
    assert set(first) < set(kept(tmp_path))
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as db:
        db.execute("UPDATE logged_models SET lifecycle_stage = 'deleted'")
    deleted = kept(tmp_path)
    sweep_of_houses(tmp_path)
    assert kept(tmp_path) == deleted


KILLED = """
import sys
from pathlib import Path
from dataclasses import replace
import lossbench.tracking.tracker as tracking
from lossbench.planning.plan import read_plan
from lossbench.tracking.process import _write

class Killed(BaseException):
    pass

WRITES = ("create_logged_model", "set_logged_model_tags", "log_model_artifacts", "log_batch", "finalize_logged_model")
keep = tracking.keep_models

def killed_after_some_calls(experiment, chosen):
    client, n_calls = experiment.client, 0
    for name in (*WRITES, "set_tag", "log_outputs"):
        def call(*arguments, write=getattr(client, name), name=name):
            nonlocal n_calls
            done = write(*arguments)
            n_calls += 1
            killed_after.add(name)
            if n_calls == n_most:
                raise Killed
            return done
        setattr(client, name, call)
    keep(experiment, chosen)

tracking.keep_models = killed_after_some_calls
plan = read_plan(Path(sys.argv[1]))
plan = replace(plan, tracking=replace(plan.tracking, models="all"))
n_most, problem, killed_after = 0, "killed", set()
while problem == "killed":
    n_most += 1
    try:
        problem = _write(plan, running=False)
    except Killed:
        pass
assert problem == "", problem
print(n_most, len(killed_after))
"""


@pytest.mark.slow
def test_each_model_is_written_once_wherever_the_sync_was_killed(smoke: Sweep, tmp_path):
    shutil.copytree(smoke.folder, tmp_path / "multirun" / "smoke", ignore=shutil.ignore_patterns("tracked.json"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(tmp_path / "multirun" / "smoke")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    n_starts, n_kinds = map(int, done.stdout.split())
    assert n_kinds == 7
    assert n_starts > n_kinds
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as db:
        models = db.execute("SELECT model_id, status, lifecycle_stage FROM logged_models").fetchall()
        links = db.execute("SELECT source_id, destination_id FROM inputs WHERE source_type = 'RUN_OUTPUT'").fetchall()
    assert len(models) == len(smoke.plan["cells"])
    assert len({entry[1:] for entry in models}) == 1
    assert sorted(destination for _, destination in links) == sorted(2 * [model for model, *_ in models])
    assert len(set(links)) == len(links)


def test_an_exported_model_is_a_folder_that_is_replaced(smoke: Sweep, tmp_path):
    def export(*arguments):
        return run(tmp_path, "model", "smoke", *arguments, command="lossbench-export", LOSSBENCH_HOME=str(smoke.home))

    done = export("circles/hinge/tanh")
    assert done.status == 0, done.err
    (folder,) = tmp_path.iterdir()
    assert (folder / "MLmodel").exists()
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle")]
    assert export("circles/hinge/tanh").status == 0
    assert list(tmp_path.iterdir()) == [folder]
    (folder / "MLmodel").unlink()
    refused = export("circles/hinge/tanh")
    assert refused.status == 2
    assert "is there and is no model" in refused.err
