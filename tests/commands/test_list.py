"""``lossbench-list``: files with gaps, choices of the user's own, and words that stand for something else."""

import pytest
from support.commands import run

GAPS = "a,y\n" + "".join(f"{'' if i % 9 == 4 else i * 7 % 23},{i * i}\n" for i in range(60))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "gaps.csv").write_text(GAPS, encoding="utf-8")
    own = tmp_path / "conf" / "loss"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults: [custom]\nfunction: mine:relative\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("first", [["dataset"], []])
def test_columns_are_shown_before_it_is_decided_what_becomes_of_missing_values(home, first):
    words = [*first, "dataset.path=gaps.csv", "dataset.target=y"]
    done = run(home, *words, command="lossbench-list")
    assert (done.status, done.err) == (0, "")
    (row,) = [line.split() for line in done.out.splitlines() if line.startswith("a ")]
    assert row[-2] == "7"
    assert "column 'a' has no value. Missing values: a (7)." in " ".join(done.out.split())
    strict = run(home, *words, "dataset.missing=error", command="lossbench-list")
    assert (strict.status, "Missing values: a (7)." in strict.err) == (2, True)


@pytest.mark.parametrize(
    ("command", "words", "hint"),
    [
        ("lossbench-list", ["dataset", "gaps.csv"], "hint: lossbench-list dataset dataset.path=gaps.csv"),
        ("lossbench", ["dataset=gaps.csv"], "hint: dataset.path=gaps.csv"),
    ],
)
def test_a_file_in_place_of_a_data_set_is_told_how_to_be_given(home, command, words, hint):
    done = run(home, *words, command=command)
    assert (done.status, hint in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["optimizer=adam"], "hint: lossbench-list optimizer adam"),
        (["loss=hinge"], "hint: lossbench-list loss hinge"),
        (["color=red"], "unknown group 'color=red'"),
    ],
)
def test_a_setting_in_place_of_a_group_is_told_what_lists_it(home, words, hint):
    done = run(home, *words, command="lossbench-list")
    assert (done.status, hint in done.err) == (2, True), done.err


def test_a_network_of_the_users_is_listed_beside_the_others(home):
    (home / "conf" / "model").mkdir()
    (home / "conf" / "model" / "big.yaml").write_text("defaults: [mlp]\nhidden_units: [200]\n", encoding="utf-8")
    listed = run(home, "model", command="lossbench-list")
    assert (listed.status, listed.err) == (0, "")
    assert "big     a choice of yours" in listed.out
    card = run(home, "model", "big", command="lossbench-list")
    assert (card.status, "model.hidden_units=[200]" in card.out) == (0, True)


def test_an_experiment_of_the_users_is_described_by_its_comment(home):
    (home / "conf" / "experiment").mkdir()
    text = "# @package _global_\n# lossbench experiment=noise\n# How much noise is too much.\nseeds: 20\n"
    (home / "conf" / "experiment" / "noise.yaml").write_text(text, encoding="utf-8")
    card = run(home, "experiment", "noise", command="lossbench-list")
    assert (card.status, card.err) == (0, "")
    assert "How much noise is too much." in card.out
    assert "lossbench experiment=noise" in card.out


def test_a_wrong_file_of_the_users_hides_no_other_mistake(home):
    (home / "conf" / "loss" / "broken.yaml").write_text("{name: huber, dleta: 0.5}\n", encoding="utf-8")
    done = run(home, "dataset=circles", "loss=bce", "loss.delta=3", "plan=true")
    assert "unknown key 'loss.delta': loss=binary_crossentropy has loss.label_smoothing." in done.err
    assert "hint: loss=huber has it." in done.err
    chosen = run(home, "dataset=regression", "loss=broken", "plan=true")
    assert "it is read from" in chosen.err
    assert "broken.yaml" in chosen.err


def test_a_choice_of_the_users_has_a_card(home):
    done = run(home, "loss", "mine", command="lossbench-list")
    assert (done.status, done.err) == (0, "")
    assert "a choice of yours, in" in done.out
    assert "loss.function=mine:relative" in done.out
