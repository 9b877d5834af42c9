"""Arrays of the user's: from an .npz file, a folder of pictures and a function to the table of losses."""

import csv
import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import BIN, run
from support.pictures import bars, write_pictures
from support.tables import alternatives, with_settings

from lossbench.datasets.loading import fresh_sample, load
from lossbench.ground.errors import UsageError
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """Every test plans in a folder of its own, whose modules are not those of other tests."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def plan(*argv: str):
    return make_plan(read_overrides(list(argv), multirun=True), "lossbench")


def dataset_of(*argv: str):
    return plan(*argv).cells[0].settings.dataset


def message(*argv: str) -> str:
    with pytest.raises(UsageError) as error:
        plan(*argv)
    return str(error.value)


def said_of(*argv: str) -> str:
    """Return the errors of planning, '' if there are none."""
    try:
        plan(*argv)
    except UsageError as error:
        return str(error)
    return ""


N = 60
X = np.array([[i * 37 % 101 / 8, i * 53 % 89 - 40.0, i % 7] for i in range(N)])
Y = X[:, 0] / 3 + X[:, 2]
CODES = np.arange(N) % 3
NAMES = np.array(["red", "green", "blue"])[CODES]
GREY = np.stack([bars(i, upright=bool(i % 2))[..., 0] for i in range(N)])
COLOUR = np.stack([bars(i, upright=bool(i % 2), channels=3) for i in range(N)])


def saved(path: str = "data.npz", **arrays) -> str:
    np.savez(path, **{"x": X, "y": Y, **arrays})
    return f"dataset.path={path}"


# ---- What targets are taken for.

ONE_HOT, LABELS = np.eye(3)[CODES], np.stack([CODES == 0, CODES < 2], axis=1).astype(float)
SHARES = np.abs(X) / np.abs(X).sum(axis=1, keepdims=True)
TARGETS = {
    "floats": (Y, "regression", [], "target y: numbers (regression)"),
    "texts": (NAMES, "multiclass", ["blue", "green", "red"], "target y: 3 classes, blue, green, red (multiclass)"),
    "bytes": (NAMES.astype("S"), "multiclass", ["blue", "green", "red"], "3 classes, blue, green, red"),
    "whole": (CODES, "multiclass", ["0", "1", "2"], "dataset.task=regression takes them as numbers"),
    "two whole": (CODES % 2, "binary", ["0", "1"], "2 classes, 0, 1 (binary); dataset.task=regression takes them as"),
    "true, false": (CODES > 0, "binary", ["False", "True"], "2 classes, False, True (binary)"),
    "counts": (
        np.arange(N) // 3,
        "regression",
        [],
        "numbers (regression); dataset.task=multiclass takes them as classes",
    ),
    "a column": (Y.reshape(-1, 1), "regression", [], "target y: numbers (regression)"),
    "columns": (X, "regression", [], "numbers (regression, 3 of them)"),
    "one-hot": (ONE_HOT, "multiclass", ["0", "1", "2"], "dataset.task=multilabel takes its columns as labels"),
    "two one-hot": (np.eye(2)[CODES % 2], "binary", ["0", "1"], "2 classes, 0, 1 (binary)"),
    "labels": (LABELS, "multilabel", ["y0", "y1"], "(multilabel, 2 of them)"),
    "shares": (SHARES, "shares", ["y0", "y1", "y2"], "(shares, 3 of them)"),
    "0.0, 1.0": ((CODES > 0) * 1.0, "regression", [], "y has 0, 1 only and is taken as numbers; as classes: dataset."),
}


@pytest.mark.parametrize("name", TARGETS)
def test_what_a_target_is_taken_for_is_said_with_the_setting_that_changes_it(name):
    y, task, labels, said = TARGETS[name]
    made = plan(saved(y=y))
    settings = made.cells[0].settings.dataset
    assert (settings.task, settings.facts.labels) == (task, labels)
    assert said in " ".join(made.notes)
    for other in alternatives(" ".join(made.notes)):
        assert dataset_of(saved(y=y), *other).task != task
    data = load(settings)
    assert data.n_features == 3
    assert sum(len(part.x) for part in data.splits.values()) == N


def test_the_arrays_reach_training_as_they_are():
    data = load(dataset_of(saved(y=NAMES), "dataset.split.seed=null", "dataset.standardize.x=none", "repeat=seeds"))
    both = np.concatenate([data.splits["train"].x, data.splits["test"].x])
    np.testing.assert_array_equal(both, X.astype(np.float32))
    classes = np.concatenate([data.splits["train"].y, data.splits["test"].y])
    np.testing.assert_array_equal(np.array(["blue", "green", "red"])[classes], NAMES)


def test_the_same_arrays_elsewhere_are_the_same_cell_and_others_are_not():
    keys = [plan(saved(path)).cells[0].key for path in ("data.npz", "other.npz")]
    changed = plan(saved(x=X + 1)).cells[0].key
    assert keys[0] == keys[1] != changed


# ---- Pictures in arrays.


@pytest.mark.parametrize(
    ("x", "shape", "scaling", "largest"),
    [
        pytest.param(GREY, [12, 12, 1], "pixels", 1.0, id="bytes"),
        pytest.param(COLOUR.astype(int), [12, 12, 3], "pixels", 1.0, id="whole numbers"),
        pytest.param(GREY[..., None] / 255, [12, 12, 1], "none", 1.0, id="from 0 to 1"),
        pytest.param(GREY / 255 - 0.5, [12, 12, 1], "standard", 9.0, id="others"),
    ],
)
def test_arrays_of_three_or_four_dimensions_are_pictures_for_a_network_of_convolutions(x, shape, scaling, largest):
    made = plan(saved(x=x, y=CODES % 2))
    (cell,) = made.cells
    assert cell.settings.model.name == "cnn"
    assert cell.settings.model.shape == cell.settings.dataset.facts.shape == shape
    assert cell.settings.dataset.standardize.x == scaling
    assert "pictures: model=cnn (model=mlp takes their pixels as features)" in made.notes
    assert np.abs(load(cell.settings.dataset).splits["train"].x).max() <= largest
    assert plan(saved(x=x, y=CODES % 2), "model=mlp").cells[0].settings.model.name == "mlp"


# ---- What is wrong with an .npz file.


def objects() -> dict[str, np.ndarray]:
    return {"y": np.array(["a", None] * (N // 2), object)}


def with_gap(value: float) -> np.ndarray:
    x = X.copy()
    x[7, 1] = value
    return x


BROKEN = {
    "no x": ({"x": None, "images": X}, [], "data.npz has no array 'x' (dataset.x, the samples); it has y, images."),
    "another case": ({"x": None, "X": X}, [], "dataset.x=X"),
    "objects": (objects(), [], "'y' is an array of Python objects, which only a pickle holds; none is ever loaded."),
    "other lengths": ({"y": Y[:-1]}, [], "x has 60 samples and y has 59 targets."),
    "one feature": ({"x": X[:, 0]}, [], "hint: a single feature is x.reshape(-1, 1)."),
    "five dimensions": ({"x": X.reshape(N, 1, 1, 1, 3)}, [], "x must be rows of features, or pictures"),
    "texts": ({"x": X.astype(str)}, [], "x must be numbers; got 60 x 3 (texts)."),
    "channels first": ({"x": COLOUR.transpose(0, 3, 1, 2)}, [], "hint: they come last: x.transpose(0, 2, 3, 1)."),
    "a gap": ({"x": with_gap(np.nan)}, [], "x has no value (NaN) in 1 sample, first in row 7."),
    "infinite": (
        {"x": with_gap(np.inf)},
        [],
        "x has an infinite value, or one too large for single precision, in row 7",
    ),
    "a target without a number": ({"y": np.where(Y > 3, np.nan, Y)}, [], "y has no finite number in row"),
    "constant": ({"y": np.zeros(N)}, [], "y is always 0: nothing to predict."),
    "a class of one": ({"y": np.array([7, *[1, 2] * 29, 1])}, [], "class '7' of y has fewer than two samples."),
    "texts as numbers": ({"y": NAMES}, ["dataset.task=regression"], "needs numbers; y has texts, such as 'blue'."),
    "three as two": ({"y": CODES}, ["dataset.task=binary"], "needs two classes; y has 3: 0, 1, 2."),
    "two as several": ({"y": CODES % 2}, ["dataset.task=multiclass"], "needs more than two classes; y has 2: 0, 1."),
    "one as shares": ({}, ["dataset.task=shares"], "dataset.task=shares needs several targets for each sample"),
    "numbers as labels": ({"y": X}, ["dataset.task=multilabel"], "needs 0 or 1 in every target; y has others."),
    "no task": ({}, ["dataset.task=ranking"], "dataset.task must be one of auto, regression"),
    "no way": ({}, ["dataset.missing=guess"], "dataset.missing must be one of error, drop, impute; got 'guess'."),
    "of tables": ({}, ["dataset.target=y"], "hint: did you mean 'dataset.y'?"),
    "no order": ({"y": NAMES}, ["dataset.ordered=true"], "dataset.ordered=true needs classes that are numbers"),
}


def broken(name: str) -> tuple[str, list[str]]:
    arrays, argv, _ = BROKEN[name]
    np.savez("data.npz", **{key: array for key, array in {"x": X, "y": Y, **arrays}.items() if array is not None})
    return "dataset.path=data.npz", argv


@pytest.mark.parametrize("name", BROKEN)
def test_the_error_of_arrays_says_what_is_wrong_and_the_settings_of_its_hint_get_past_it(name):
    path, argv = broken(name)
    text, said = message(path, *argv), BROKEN[name][2]
    assert said in text
    first = text.partition("\n")[0]
    for settings in alternatives(text.partition("hint: ")[2]):
        if not any(each.startswith("dataset.path=") for each in settings):
            assert first not in said_of(path, *with_settings(argv, settings)), settings


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(pickle.dumps({"x": 1}), "cannot be read as .npz: it is no file of arrays.", id="a pickle"),
        pytest.param(b"PK\x03\x04 no archive", "cannot be read as .npz: ", id="a damaged archive"),
        pytest.param(b"", "cannot be read as .npz: ", id="empty"),
    ],
)
def test_a_file_that_holds_no_arrays_is_refused_with_the_call_that_writes_one(content, said):
    Path("data.npz").write_bytes(content)
    text = message("dataset.path=data.npz")
    assert said in text
    (call,) = [part for part in text.partition("hint: ")[2].split(" writes ") if part.startswith("numpy")]
    exec(call, {"numpy": np, "x": X, "y": Y})
    assert plan("dataset.path=data.npz").cells


def test_no_code_of_a_file_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    np.savez("data.npz", x=X, y=np.array([Evil()] * N, object))
    assert "none is ever loaded" in message("dataset.path=data.npz")
    Path("data.npz").write_bytes(pickle.dumps(Evil()))
    assert "it is no file of arrays" in message("dataset.path=data.npz")
    assert not (tmp_path / "evil").exists()


def test_missing_features_are_left_out_or_filled_in():
    x = with_gap(np.nan)
    dropped = plan(saved(x=x), "dataset.missing=drop")
    assert dropped.cells[0].settings.dataset.facts.n_samples == N - 1
    assert "data.npz: 1 rows that miss a value are left out" in dropped.notes
    given = ["dataset.missing=impute", "dataset.split.seed=null", "dataset.standardize.x=none", "repeat=seeds"]
    train = load(dataset_of(saved(x=x), *given)).splits["train"].x
    median = np.nanmedian(x[: len(train), 1])
    assert train[7, 1] == np.float32(median)


def test_paths_choose_what_reads_them_and_several_kinds_are_not_mixed():
    saved()
    write_pictures(Path("pictures"))
    assert [plan(f"dataset.path={path}").cells[0].settings.dataset.name for path in ("data.npz", "pictures")] == [
        "npz",
        "pictures",
    ]
    assert [cell.dataset for cell in plan("dataset.path=pictures/").cells] == ["pictures"]
    assert "data of several kinds: data.npz (npz), pictures (pictures)" in message("dataset.path=data.npz,pictures")
    advised = read_overrides(["experiment=advise", "dataset.path=data.npz"], multirun=True)
    assert advised.choices == {"experiment": ["advise"], "dataset": ["npz"]}


# ---- Folders of pictures.


def test_each_folder_is_a_class_and_what_was_made_of_the_pictures_is_said():
    write_pictures(Path("pictures"), 8, endings=(".png", ".jpg"), channels=3, height=40, width=30)
    made = plan("dataset.path=pictures")
    (cell,) = made.cells
    assert cell.settings.dataset.facts.labels == ["lying", "upright"]
    assert cell.settings.model.name == "cnn"
    assert cell.settings.model.shape == [32, 32, 3]
    text = " ".join(made.notes)
    assert "they are 40 x 30; brought to 32 x 32, read as RGB (dataset.size=48 and dataset.colour=grey take" in text
    other = dataset_of("dataset.path=pictures", "dataset.size=[20,10]", "dataset.colour=grey")
    assert other.facts.shape == [20, 10, 1]
    assert load(other).n_features == 200


def test_small_pictures_of_one_size_keep_their_pixels():
    write_pictures(Path("pictures"), 6)
    shares = ["dataset.split.train=0.5", "dataset.split.test=0.5", "dataset.split.seed=null"]
    settings = dataset_of("dataset.path=pictures", *shares, "repeat=seeds")
    found = np.concatenate([load(settings).splits[name].x for name in ("train", "test")])
    wanted = [bars(i + (1 - k), upright=bool(k)).ravel() / 255 for k in (0, 1) for i in map(int, sorted("012345"))]
    np.testing.assert_allclose(found, np.array(wanted), atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "grey"), [("1", True), ("L", True), ("LA", True), ("I;16", True), ("P", False), ("RGBA", False)]
)
def test_pictures_of_every_kind_are_read(mode, grey):
    write_pictures(Path("pictures"), 4)
    for path in Path("pictures").rglob("*.png"):
        if mode == "I;16":
            wide = np.asarray(Image.open(path), np.uint16) * 257
            Image.fromarray(wide).save(path)
        else:
            Image.open(path).convert(mode).save(path)
    settings = dataset_of("dataset.path=pictures", "dataset.split.seed=null", "repeat=seeds")
    assert settings.facts.shape == [12, 12, 1 if grey else 3]
    first = load(settings).splits["train"].x[0]
    wanted = (bars(1, upright=False) / 255).reshape(12, 12, 1)
    if mode != "1":
        np.testing.assert_allclose(first.reshape(settings.facts.shape), np.tile(wanted, 1 if grey else 3), atol=0.02)


def damaged() -> None:
    write_pictures(Path("pictures"), 6)
    Path("pictures/upright/2.png").write_text("no picture")
    whole = Path("pictures/lying/3.png").read_bytes()
    Path("pictures/lying/3.png").write_bytes(whole[: len(whole) // 2])


def one_class() -> None:
    write_pictures(Path("pictures"), 6)
    shutil.rmtree("pictures/upright")


def no_folders() -> None:
    write_pictures(Path("pictures"), 6)
    for path in list(Path("pictures").glob("*/*")):
        path.rename(f"pictures/{path.parent.name}{path.name}")
    shutil.rmtree("pictures/upright")
    shutil.rmtree("pictures/lying")


def deeper() -> None:
    write_pictures(Path("pictures/train"), 6)


def alone() -> None:
    write_pictures(Path("pictures"), 6)
    Path("pictures/third").mkdir()
    shutil.copy("pictures/lying/0.png", "pictures/third/0.png")


WRONG_FOLDERS = [
    (damaged, [], "pictures: 2 pictures cannot be read: lying/3.png ("),
    (damaged, [], "upright/2.png (it is no picture)"),
    (one_class, [], "it has the pictures of one class only, 'lying'."),
    (no_folders, [], "the pictures in pictures lie in no folder of a class."),
    (deeper, [], "hint: dataset.path=pictures/train"),
    (alone, [], "class 'third' has one picture only."),
    (lambda: Path("pictures").mkdir(), [], "it has no folders of pictures."),
    (lambda: None, [], "there is no folder pictures."),
    (lambda: write_pictures(Path("pictures")), ["dataset.size=0"], "dataset.size must be a height and a width"),
    (
        lambda: write_pictures(Path("pictures")),
        ["dataset.colour=blue"],
        "dataset.colour must be one of auto, grey, rgb",
    ),
]


@pytest.mark.parametrize(("prepare", "argv", "said"), WRONG_FOLDERS)
def test_the_error_of_a_folder_names_what_is_wrong_and_its_hint_works(prepare, argv, said):
    prepare()
    text = message("dataset.path=pictures/", *argv)
    assert said in text
    for settings in alternatives(text.partition("hint: ")[2]):
        assert not said_of(*with_settings(["dataset.path=pictures/", *argv], settings)), settings


def test_changed_pictures_are_read_again_and_other_files_are_named():
    write_pictures(Path("pictures"), 6)
    Path("pictures/lying/notes.txt").write_text("first day")
    Path("pictures/lying/.DS_Store").write_text("hidden")
    first = plan("dataset.path=pictures")
    assert "1 file is passed over, for the name is no picture's: lying/notes.txt" in " ".join(first.notes)
    shutil.copytree("pictures", "elsewhere")
    assert plan("dataset.path=elsewhere").cells[0].key == first.cells[0].key
    Image.fromarray(bars(77, upright=True)[..., 0]).save("pictures/lying/0.png")
    with pytest.raises(ValueError, match="pictures has changed since the sweep was planned"):
        load(first.cells[0].settings.dataset)
    assert plan("dataset.path=pictures").cells[0].key != first.cells[0].key


# ---- Functions.

SOURCE = """
import numpy as np

def make(n=60, noise=0.1, random_state=0):
    rng = np.random.default_rng(random_state)
    x = rng.normal(size=(n, 3))
    return x, x[:, 0] + noise * rng.normal(size=n)

def fixed():
    x = np.arange(120.0).reshape(60, 2)
    return x.tolist(), ["ab"[i % 2] for i in range(60)]

def restless():
    return np.random.normal(size=(60, 2)), np.arange(60) / 7

def needs(n):
    return make(n)

def fails():
    return 1 / 0

def one():
    return np.zeros((3, 2))
"""


def function_of(name: str, module: str) -> str:
    """Write a module of a name that no other test has imported, and return the setting that chooses its function."""
    Path(f"{module}.py").write_text(SOURCE)
    return f"dataset.function={module}:{name}"


def test_a_function_gives_the_data_and_its_parameters_and_source_make_the_key():
    chosen = ["dataset=custom", function_of("make", "own_one")]
    made = plan(*chosen)
    (cell,) = made.cells
    assert cell.dataset == "own_one.make"
    assert made.name.startswith("own_one.make-")
    assert cell.settings.dataset.parameters == {"random_state": 0}
    assert "own_one.make(): called with random_state=0; repeat=samples draws it anew for each run" in made.notes
    assert load(cell.settings.dataset).n_features == 3
    other = plan(*chosen, "dataset.parameters={n: 80}").cells[0]
    assert other.settings.dataset.facts.n_samples == 80
    Path("own_one.py").write_text(SOURCE + "# another\n")
    assert len({cell.key, other.key, plan(*chosen).cells[0].key}) == 3


def test_lists_and_texts_are_taken_as_arrays():
    settings = dataset_of("dataset=custom", function_of("fixed", "own_two"))
    assert (settings.task, settings.facts.labels, settings.facts.n_features) == ("binary", ["a", "b"], 2)


def test_fresh_samples_have_random_states_of_their_own():
    argv = ["dataset=custom", function_of("make", "own_three"), "repeat=samples", "seeds=2"]
    settings = plan(*argv).cells[0].settings.dataset
    first, second = (load(fresh_sample(settings, seed)).splits["train"].x for seed in (0, 1))
    assert first.shape == second.shape
    assert not np.array_equal(first, second)
    text = message("dataset=custom", function_of("fixed", "own_three"), "repeat=samples")
    assert "repeat=samples needs a data set that is generated; dataset=custom is not." in text
    assert "repeat=folds, or a function that takes a random_state" in text


WRONG_FUNCTIONS = {
    "no function": (None, [], "dataset=custom needs a function."),
    "another name": ("mak", [], "did you mean 'make'?"),
    "fails": ("fails", [], "own_wrong.fails() raised ZeroDivisionError: division by zero (own_wrong.py, line 20)."),
    "needs": ("needs", [], "hint: 'dataset.parameters={n: …}' gives them; now it is {}."),
    "one": ("one", [], "own_wrong.one() must return two arrays; got ndarray."),
    "no mapping": ("make", ["dataset.parameters=3"], "dataset.parameters must be a value for each name; got 3."),
}


@pytest.mark.parametrize("name", WRONG_FUNCTIONS)
def test_the_error_of_a_function_names_its_line_and_the_call_that_shows_it(name):
    function, argv, said = WRONG_FUNCTIONS[name]
    chosen = [function_of(function, "own_wrong")] if function else []
    text = message("dataset=custom", *chosen, *argv)
    assert said in text
    call = text.partition("hint: ")[2].partition(" shows where.")
    if call[1]:
        done = subprocess.run(
            call[0], shell=True, capture_output=True, text=True, env=os.environ | {"PATH": f"{BIN}:/bin"}
        )
        assert "ZeroDivisionError" in done.stderr
    for settings in alternatives(text.partition("hint: ")[2]):
        assert said not in said_of("dataset=custom", *with_settings([*chosen, *argv], settings))


def test_a_function_that_returns_other_data_each_time_is_found_out():
    from lossbench.datasets.own_arrays.function import _called

    settings = dataset_of("dataset=custom", function_of("restless", "own_four"))
    _called.cache_clear()
    with pytest.raises(ValueError, match=r"own_four\.restless\(\) returns other data than it did for the plan"):
        load(settings)


# ---- From the command to the table.


def scores(home: Path, *argv: str) -> dict[str, list[str]]:
    """Run a sweep as a user does, and return the status of each run by its cell."""
    few = ["epochs=2", "seeds=1", "tune=none", "repeat.repetitions=1", "repeat.folds=2", "report.yardsticks=false"]
    done = run(home, *argv, "loss=bce", *few, "name=mine")
    assert done.status == 0, done.err + done.out
    found: dict[str, list[str]] = {}
    with open(home / "multirun" / "mine" / "results.csv") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["cell"], []).append(row["status"])
    return found


KINDS = [
    pytest.param(["dataset.path=data.npz"], "data.npz", marks=pytest.mark.slow, id="npz"),
    pytest.param(["dataset.path=pictures/"], "pictures", marks=pytest.mark.slow, id="pictures"),
    # The one that needs most of a worker: it imports the user's module.
    pytest.param(["dataset=custom", "dataset.function=own_five:fixed"], "own_five.fixed", id="custom"),
]


@pytest.mark.parametrize(("argv", "name"), KINDS)
def test_every_kind_is_trained_reported_and_listed(argv, name, tmp_path):
    saved(y=NAMES == "red", x=GREY)
    write_pictures(Path("pictures"), 20)
    function_of("fixed", "own_five")
    found = scores(tmp_path, "-m", *argv)
    assert found == {f"{name}/binary_crossentropy/sigmoid": ["finished"] * 2}
    page = (tmp_path / "multirun" / "mine" / "report.html").read_text()
    assert name in page
    listed = run(tmp_path, "dataset", *argv, command="lossbench-list")
    assert listed.status == 0, listed.err
    assert "2 classes" in listed.out
