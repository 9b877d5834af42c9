"""Suspicious cells of a file: warned about with a way out that works, and never changed."""

import pytest
from support.commands import run
from support.tables import alternatives, lines_of, planned, with_settings


def table(cell, header: str = "a,b,y", y=lambda i: i * 41 % 97 / 4) -> str:
    """Return a table of 60 rows whose second column has given cells."""
    return f"{header}\n" + "".join(f"{i * 37 % 101 / 8},{cell(i)},{y(i)}\n" for i in range(60))


def spread(i: int) -> int:
    return i * 53 % 89


ROWS = {
    "a mark": (
        table(lambda i: -999 if i in (4, 9) else spread(i) - 40),
        "b has -999 in 2 cells, far from its other numbers; if it means a missing value:",
    ),
    "two marks": (
        table(lambda i: {4: -999, 9: -9999}.get(i, spread(i) - 40)),
        "b has -9999 and -999 in 2 cells, far from its other numbers; if it means a missing value:",
    ),
    "a mark where all are positive": (
        table(lambda i: -999 if i == 7 else 1000.5 * spread(i)),
        "b has -999 in 1 cell, far from its other numbers; if it means a missing value:",
    ),
    "a mark in the target": (
        table(lambda i: spread(i) - 40.5, y=lambda i: 9999 if i == 4 else i * 41 % 97 / 4),
        "y has 9999 in 1 cell, far from its other numbers; if it means a missing value:",
    ),
    "leading zeros": (
        lines_of("a,zip,y", "{x},0{p}{q}3,{y}"),
        "zip is written with leading zeros (0003) and read as numbers; if they are codes:",
    ),
    "identifiers": (
        lines_of("a,customer_number,y", "{x},7{i}1,{y}"),
        "customer_number has another whole number in each row; if it only numbers them:",
    ),
    "several identifiers": (
        lines_of("a,customer_number,order,y", "{x},7{i}1,5{i}3,{y}"),
        "customer_number and order have another whole number in each row; if they only number them:",
    ),
    "large numbers": (
        lines_of("a,b,y", "{x},1000000000000000000{i},{y}"),
        "b has numbers up to 1.0e+20, and training computes with 7 digits: write it in a larger unit, or",
    ),
    "the target again": (
        table(lambda i: 2 * (i * 41 % 97 / 4)),
        "b (rank correlation 1.0000) alone gives y away; if known only with the target:",
    ),
    "the target turned round": (
        table(lambda i: 5 - (i * 41 % 97 / 4) ** 3),
        "b (rank correlation 1.0000) alone gives y away; if known only with the target:",
    ),
    "the target before it was cut": (
        table(spread, y=lambda i: int(spread(i) > 40)),
        "b (AUC 1.0000) alone gives y away; if known only with the target:",
    ),
    "the target before it was cut in three": (
        table(spread, y=lambda i: "pqr"[spread(i) // 30]),
        "b (AUC 1.0000) alone gives y away; if known only with the target:",
    ),
    "the class in other words": (
        table(lambda i: ("low", "high")[i * 7 % 2], y=lambda i: "pq"[i * 7 % 2]),
        "b (class the same in 100.0% of the rows with its text) alone gives y away; if known only with the target:",
    ),
    "few rows": (lines_of("a,b,y", "{x},{z},{y}", 12), "only 12 rows: they can hardly tell one loss from another"),
    "levels that differ by case": (
        table(lambda i: ("Red", "red", "blue")[i % 3]),
        "b has 'Red' and 'red', which differ by upper and lower case alone",
    ),
}


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def warnings_of(content: str, *argv: str) -> list[str]:
    notes = planned(content, *argv).notes
    return [note.removeprefix("data.csv: warning: ") for note in notes if "warning: " in note]


@pytest.mark.parametrize("name", ROWS)
def test_what_is_suspicious_is_warned_about_and_the_hint_ends_the_warning(name):
    content, said = ROWS[name]
    (warning,) = [text for text in warnings_of(content, "dataset.target=y") if text.startswith(said)]
    for settings in alternatives(warning):
        argv = with_settings(["dataset.target=y"], settings)
        assert not [text for text in warnings_of(content, *argv) if text.startswith(said)], settings


@pytest.mark.parametrize("name", ROWS)
def test_what_is_suspicious_stays_a_feature(name):
    content, _ = ROWS[name]
    facts = planned(content, "dataset.target=y").cells[0].settings.dataset.facts
    assert not facts.left_out
    assert not facts.readings
    assert {*facts.numbers, *facts.categories} == set(content.partition("\n")[0].split(",")) - {"y"}


def test_a_hint_keeps_what_was_left_out_before():
    content = ROWS["identifiers"][0]
    (warning,) = warnings_of(content, "dataset.target=y", "dataset.leave_out=[a]")[:1]
    assert "'dataset.leave_out=[a,customer_number]'" in warning


def test_many_rows_are_said_with_what_shows_how_long_they_take():
    content = "a,y\n" + "".join(f"{i * 37 % 10007},{i * 53 % 9973}.5\n" for i in range(200_000))
    (warning,) = warnings_of(content, "dataset.target=y")
    assert warning == (
        "200000 rows, of which each run takes its training rows in each epoch: "
        "seeds=1 epochs=1 shows how long one takes"
    )


def test_the_first_warnings_are_shown_and_the_others_counted():
    cells = "".join(
        f"{i},0{i % 7},{-999 if i % 9 == 4 else i * 37 % 101},{10**15 + i},{('R', 'r')[i % 2]},{i}.5\n"
        for i in range(30)
    )
    notes = planned("key,zip,lot,big,colour,y\n" + cells, "dataset.target=y").notes
    assert len([note for note in notes if "warning: " in note]) == 4
    assert notes[-1] == "2 more warnings: `lossbench-list dataset` with these dataset settings shows all"


# What may be said of the real data sets that come with scikit-learn, by the beginning of the sentence.
EXPECTED = {
    "linnerud": ["only 20 rows"],
    "digits": ["left out "],
    "wine": [],
    "iris": ["1 of 150 rows repeats an earlier one"],
    "breast_cancer": [],
    "diabetes": [],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_data_draw_no_warning_but_the_expected_ones(name):
    from sklearn import datasets

    loaded = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = loaded.frame
    frame.columns = [str(column) for column in frame.columns]
    targets = [str(column) for column in getattr(loaded.target, "columns", ["target"])]
    found = warnings_of(frame.to_csv(index=False), f"dataset.target=[{','.join(targets)}]")
    assert len(found) == len(EXPECTED[name]), found
    assert all(text.startswith(begin) for text, begin in zip(found, EXPECTED[name], strict=True)), found


LISTED = """\
house.csv: 30 rows, 4 columns (1 encoded from text); target price: numbers
  (regression)
house.csv: read as numbers: rate (without %)
house.csv: warning: left out id (identifiers)

column  cells    used as                missing  levels
id      numbers  left out: identifiers        0      30
rate    numbers  feature                      0      10
    without %
zip     numbers  feature                      0       7
    leading zeros: 03
town    texts    feature, one-hot             0       2
lot     numbers  feature                      0      25
    -999: missing?
price   numbers  target                       0      30

house.csv: warning: lot has -999 in 3 cells, far from its other numbers; if it
  means a missing value: 'dataset.missing_values=["-999"]'
  dataset.missing=impute
house.csv: warning: zip is written with leading zeros (03) and read as numbers;
  if they are codes: 'dataset.categorical=[zip]'
house.csv: warning: only 30 rows: they can hardly tell one loss from another
"""


def write_house(folder):
    lots = [-999 if i % 9 == 4 else i * 31 % 27 for i in range(30)]
    rows = (f"{i},{i % 10}%,0{(i * 3 + 3) % 7},{'EWW'[i % 3]},{lots[i]},{i * 41 % 97 / 4}" for i in range(30))
    (folder / "house.csv").write_text("id,rate,zip,town,lot,price\n" + "\n".join(rows) + "\n")


def test_every_column_of_a_file_is_accounted_for_without_a_plan(tmp_path):
    write_house(tmp_path)
    done = run(tmp_path, "dataset", "dataset.path=house.csv", "dataset.target=price", command="lossbench-list")
    assert (done.status, done.err) == (0, "")
    assert done.out == LISTED
    again = run(tmp_path, "dataset", "dataset.path=house.csv", "dataset.target=price", command="lossbench-list")
    assert again.out == done.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["dataset", "dataset.path=house.csv"], "dataset=csv needs a target.\n  hint: dataset.target=…, one of id, "),
        (["dataset", "dataset.path=nothere.csv"], "there is no file nothere.csv."),
        (["dataset", "dataset.target=price"], "dataset=csv needs a file."),
        (["dataset", "dataset.path=house.csv", "dataset.targt=price"], "did you mean 'dataset.target'?"),
        (
            ["dataset", "circles", "dataset.noise=0.2"],
            "dataset=circles is no file.\n  hint: lossbench-list dataset c",
        ),
        (["loss", "dataset.path=house.csv"], "lossbench-list loss takes a name; got dataset.path=house.csv."),
    ],
)
def test_what_is_wrong_with_the_question_is_said(tmp_path, argv, said):
    write_house(tmp_path)
    done = run(tmp_path, *argv, command="lossbench-list")
    assert done.status == 2
    assert said in done.err
