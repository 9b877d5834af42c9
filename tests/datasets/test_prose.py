"""Running text in a user's table: recognised, said, and made features that the training rows alone decide."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from support.exports import cell_of
from support.tables import PLAIN_TABLES, planned

from lossbench.datasets.loading import load, load_fold, load_parts
from lossbench.export.keras_script import keras_script
from lossbench.export.saved_model import serving
from lossbench.export.saved_model.contents import model_contents
from lossbench.ground.errors import UsageError
from lossbench.planning.file_descriptions import description_of


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """Every test plans in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


PARTS = ["the garden is large", "a dark kitchen", "close to the station", "needs a new roof", "quiet street, sunny"]
TEXTS = [f"{PARTS[i % 5]}; {PARTS[i * 3 % 5].upper()} no{i}" for i in range(60)]


def table(texts: list[str] = TEXTS) -> str:
    rows = [f'{i * 37 % 101},"{text}",{"ab"[i % 2]},{i * 41 % 97 / 4}' for i, text in enumerate(texts)]
    return "\n".join(["size,note,zone,price", *rows]) + "\n"


def made_of(content: str, *argv: str):
    plan = planned(content, "dataset.target=price", *argv)
    return plan, plan.cells[0].settings.dataset


ONE_SPLIT = ("repeat=seeds", "dataset.split.seed=null")


def test_running_text_is_said_and_counted_in_the_account():
    plan, settings = made_of(table())
    assert settings.facts.prose == {"note": 15}
    assert "note" not in settings.facts.left_out
    text = " ".join(plan.notes)
    assert "data.csv: 60 rows, 3 columns (1 encoded from text)" in text
    assert "running text as features: note (15 of its words); dataset.max_words=0 leaves it out" in text
    described = description_of(settings)
    assert [each.use for each in described.columns] == ["feature", "feature, 15 words", "feature, one-hot", "target"]


def test_the_hint_leaves_it_out_and_fewer_words_can_be_asked_for():
    plan, settings = made_of(table(), "dataset.max_words=0")
    assert settings.facts.left_out == {"note": "identifiers"}
    assert settings.facts.prose == {}
    fewer = made_of(table(), "dataset.max_words=6")
    assert fewer[1].facts.prose == {"note": 6}
    assert len({each.cells[0].key for each in (plan, fewer[0], made_of(table())[0])}) == 3
    with pytest.raises(UsageError, match=r"dataset\.max_words must be at least 0; got -1"):
        made_of(table(), "dataset.max_words=-1")


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        pytest.param([f"item{i}" for i in range(60)], "identifiers", id="one word"),
        pytest.param([f"Ann{i} Lee{i} Ray{i}" for i in range(60)], "identifiers", id="no word twice"),
        pytest.param([f"n{i // 2 * 2}" for i in range(56)] + ["x", "x", "y", "y"], "", id="few texts"),
    ],
)
def test_other_texts_are_taken_as_before(texts, reason):
    settings = made_of(table(texts))[1]
    assert settings.facts.prose == {}
    assert settings.facts.left_out.get("note", "") == reason


def test_a_column_that_is_named_categorical_is_no_running_text():
    assert made_of(table(), "dataset.categorical=[note]")[1].facts.left_out == {"note": "identifiers"}


@pytest.mark.parametrize("name", PLAIN_TABLES)
def test_tables_without_running_text_say_nothing_of_it(name):
    content, argv = PLAIN_TABLES[name]
    plan = planned(content.encode("utf-16") if name == "utf-16" else content, *argv)
    keys = {cell.key for cell in plan.cells}
    assert keys == {cell.key for cell in planned(_content(name), *argv, "dataset.max_words=7").cells}
    assert "prose" not in json.dumps(plan.cells[0].settings.dataset.facts.readings)


def _content(name: str) -> str | bytes:
    content = PLAIN_TABLES[name][0]
    return content.encode("utf-16") if name == "utf-16" else content


def test_the_features_are_scikit_learns_of_the_training_rows():
    settings = made_of(table(), *ONE_SPLIT)[1]
    data = load(settings)
    n_train = len(data.splits["train"].x)
    vectorizer = TfidfVectorizer(min_df=2, max_features=15).fit(TEXTS[:n_train])
    words = vectorizer.get_feature_names_out().tolist()
    assert data.preprocessing["prose"]["words"] == [words]
    found = data.splits["test"].x[:, -15:]
    expected = vectorizer.transform(TEXTS[n_train : n_train + len(found)]).toarray()
    np.testing.assert_allclose(found[:, : len(words)], expected, atol=1e-6)


def test_words_of_other_rows_change_nothing_and_the_number_of_features_is_that_of_all_folds():
    settings = made_of(table())[1]
    train, test = np.arange(40), np.arange(40, 60)
    one = load_parts(settings, {"train": train, "test": test})
    assert load_parts(settings, {"train": np.arange(2), "test": test}).n_features == one.n_features
    other = [text if i < 40 else f"another language of several words {i}" for i, text in enumerate(TEXTS)]
    again = made_of(table(other))[1]
    width = again.facts.prose["note"]
    both = load_parts(again, {"train": train, "test": test})
    assert both.preprocessing["prose"]["words"] == one.preprocessing["prose"]["words"]
    assert {"another", "language"} <= {word for text in other for word in text.split()}
    np.testing.assert_array_equal(both.splits["test"].x[:, -width:], 0.0)


def test_training_rows_without_words_give_features_of_zero():
    empty = ["" if i < 40 else text for i, text in enumerate(TEXTS)]
    # Cells without a text need no setting: they have no words.
    data = load_parts(made_of(table(empty))[1], {"train": np.arange(40), "test": np.arange(40, 60)})
    assert data.preprocessing["prose"]["words"] == [[]]
    assert not data.splits["test"].x[:, -15:].any()


def test_the_folds_of_a_cell_have_the_same_number_of_features():
    plan, settings = made_of(table())
    folds = plan.cells[0].settings.folds
    assert {load_fold(settings, folds, (0, k)).n_features for k in range(folds.folds)} == {1 + 2 + 15}


def test_a_saved_model_and_a_script_read_the_words_as_the_sweep_does():
    Path("data.csv").write_text(table())
    cell = cell_of("dataset.path=data.csv", "dataset.target=price", *ONE_SPLIT)
    data = load(cell.settings.dataset)
    contents = json.loads(json.dumps(model_contents(cell, data, "{}")))
    rows = pd.read_csv("data.csv")
    n_train = len(data.splits["train"].x)
    x = serving.features(contents["inputs"], rows)
    np.testing.assert_allclose(x[:n_train], data.splits["train"].x, atol=1e-6)
    np.testing.assert_allclose(serving.features(contents["inputs"], rows.assign(note=None))[:, -15:], 0.0)
    made: dict = {}
    text = keras_script(cell, {}, 3, 0.5).partition("# Targets as the loss takes them.")[0]
    exec(compile(text, "script", "exec"), made)
    n = made["x"].shape[1]
    np.testing.assert_allclose(made["x"][made["train"]], data.splits["train"].x[:, :n], atol=1e-6)
    np.testing.assert_array_equal(data.splits["train"].x[:, n:], 0.0)
