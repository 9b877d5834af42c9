"""What planning keeps of a user's file."""

import json

import pytest
from support.settings import shipped

from lossbench.planning import file_descriptions
from lossbench.planning.file_descriptions import with_facts


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home, and nothing remembered."""
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(file_descriptions, "_kept", {})
    return tmp_path


def written(folder, *, numbers=True, rows=9):
    text = "".join(f"{i},{i / 8 if numbers else 'ab'[i % 2]}\n" for i in range(rows))
    (folder / "house.csv").write_text("size,price\n" + text)
    return shipped("dataset", "csv", path=str(folder / "house.csv"), target="price")


def kept(home):
    return sorted((home / "home" / "multirun" / ".files").glob("*"))


@pytest.mark.parametrize(("numbers", "task", "scaling"), [(True, "regression", "standard"), (False, "binary", "none")])
def test_a_file_says_its_task_and_so_how_targets_are_scaled(home, numbers, task, scaling):
    settings, description = with_facts(written(home, numbers=numbers))
    notes = description.in_short
    assert (settings.task, settings.standardize.y) == (task, scaling)
    assert (settings.facts.n_samples, settings.facts.numbers) == (9, ["size"])
    assert any("house.csv" in note for note in notes)


def test_a_scaling_that_was_asked_for_stays(home):
    content = written(home)
    assert with_facts({**content, "standardize": {**content["standardize"], "y": "none"}})[0].standardize.y == "none"
    # The same file is described once for all scalings.
    assert with_facts(content)[0].standardize.y == "standard"
    assert len(kept(home)) == 1


def test_a_description_is_kept_for_the_next_start_and_used_there(home, monkeypatch):
    first = with_facts(written(home))
    (path,) = kept(home)
    assert path.suffix == ".json"
    content = json.loads(path.read_text())
    assert (content["task"], content["file"]["n_samples"]) == ("regression", 9)
    monkeypatch.setattr(file_descriptions, "_kept", {})
    monkeypatch.setattr(file_descriptions, "described_file", lambda settings: pytest.fail("the file was read again"))
    settings = shipped("dataset", "csv", path=str(home / "house.csv"), target="price")
    assert with_facts(settings) == first
    # What was asked in another order is the same question.
    assert with_facts(dict(reversed(settings.items()))) == first


@pytest.mark.parametrize(
    "text", ["", "{", "{}", '{"task": "binary"}', "[]", '{"task": "x", "file": {"x": 1}, "notes": []}']
)
def test_a_description_that_cannot_be_read_is_made_again(home, monkeypatch, text):
    first = with_facts(written(home))
    (path,) = kept(home)
    path.write_text(text)
    monkeypatch.setattr(file_descriptions, "_kept", {})
    assert with_facts(shipped("dataset", "csv", path=str(home / "house.csv"), target="price")) == first
    assert json.loads(path.read_text())["task"] == "regression"


def test_another_question_or_file_is_another_description(home):
    content = written(home)
    with_facts(content)
    with_facts({**content, "max_levels": 40})
    assert len(kept(home)) == 2
    settings, _ = with_facts(written(home, rows=12))
    assert settings.facts.n_samples == 12
    assert len(kept(home)) == 3


def test_without_a_place_for_it_the_file_is_described_all_the_same(home):
    (home / "home").write_text("no folder")
    assert with_facts(written(home))[0].facts.n_samples == 9
