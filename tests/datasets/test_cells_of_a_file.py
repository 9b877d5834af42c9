"""Cells that hold more than a number or a text, packed files and JSON lines: read as what they mean, and said."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest
from support.tables import PLAIN_TABLES, lines_of, plan, planned, zipped

from lossbench.datasets.loading import load
from lossbench.ground.errors import UsageError


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def facts_of(content: str | bytes, *argv: str, path: str = "data.csv"):
    return planned(content, *argv, path=path).cells[0].settings.dataset.facts


def table(cell, n: int = 60) -> str:
    """Return a table with a column ``b`` of given cells, each in quotes."""
    return "a,b,y\n" + "".join(f'{(i * 37 % 101) / 8},"{cell(i)}",{(i * 41 % 97) / 4}\n' for i in range(n))


def number(i: int) -> float:
    return (i * 977 % 1009) * 1.25


PLAIN = table(lambda i: f"{number(i)}")
FORMS = [
    pytest.param(lambda v: f"{v}%", "number %", "read as numbers: b (without %)", id="percent"),
    pytest.param(lambda v: f" {v} %", "number %", "read as numbers: b (without %)", id="percent and blanks"),
    pytest.param(lambda v: f"${v:,.2f}", "number $,", "read as numbers: b (without $ and ,)", id="dollars"),
    pytest.param(lambda v: f"{v:.2f} €", "number €", "read as numbers: b (without €)", id="euros"),
    pytest.param(lambda v: f"{v:,}", "number ,", "read as numbers: b (without ,)", id="thousands"),
    pytest.param(lambda v: f"{v:,}".replace(",", "'"), "number '", "read as numbers: b (without ')", id="Swiss"),
    pytest.param(lambda v: f"{v:,}".replace(",", "\u202f"), "number", "b (without blanks)", id="narrow blanks"),
    pytest.param(lambda v: f"{v}\u00a0", "number", "b (without blanks)", id="a blank behind"),
]


@pytest.mark.parametrize(("written", "how", "said"), FORMS)
def test_numbers_with_signs_are_read_as_the_numbers_without(written, how, said):
    plain = load(planned(PLAIN, "dataset.target=y").cells[0].settings.dataset)
    made = planned(table(lambda i: written(number(i))), "dataset.target=y")
    dataset = made.cells[0].settings.dataset
    assert dataset.facts.readings == {"b": how}
    assert (dataset.facts.numbers, dataset.facts.categories) == (["a", "b"], [])
    assert any(said in note for note in made.notes)
    assert load(dataset).digest == plain.digest


@pytest.mark.parametrize(("written", "how", "said"), FORMS)
def test_a_target_with_signs_is_read_as_the_numbers_without(written, how, said):
    plain = load(planned(PLAIN, "dataset.target=b").cells[0].settings.dataset)
    found = planned(table(lambda i: written(number(i))), "dataset.target=b").cells[0].settings.dataset
    assert found.task == "regression"
    assert load(found).digest == plain.digest


def test_with_a_decimal_comma_points_may_separate_thousands():
    swapped = {ord(","): ".", ord("."): ",", ord("|"): ";"}
    rows = (f"{(i * 37 % 101) / 8}|{number(i) * 1000:,.2f}|{(i * 41 % 97) / 4}" for i in range(60))
    content = "a;b;y\n" + "".join(f"{row.translate(swapped)}\n" for row in rows)
    plain = load(planned(table(lambda i: f"{number(i) * 1000:.2f}"), "dataset.target=y").cells[0].settings.dataset)
    found = planned(content, "dataset.target=y", "dataset.sep=;", "dataset.decimal=,").cells[0].settings.dataset
    assert found.facts.readings == {"b": "number ."}
    assert load(found).digest == plain.digest


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(lambda i: f"{i % 7}-{i % 5}", id="a range"),
        pytest.param(lambda i: f"$ {i % 7} each", id="more than the number"),
        pytest.param(lambda i: f"10.0.0.{i % 7}", id="an address"),
    ],
)
def test_cells_of_another_form_stay_text(cell):
    facts = facts_of(table(cell), "dataset.target=y")
    assert (facts.readings, facts.categories) == ({}, ["b"])


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        pytest.param(lambda i: f"{i % 7}%" if i % 8 else "none", "numbers but for 'none'", id="a word"),
        pytest.param(lambda i: f"12{i % 7},34", "is text with dataset.decimal='.'", id="two digits after the comma"),
        pytest.param(lambda i: f"{i % 7}{'%' * (i % 2)}", "written in several ways", id="only some have the sign"),
        pytest.param(lambda i: f"{'$€'[i % 2]}{i}", "written in several ways", id="two currencies"),
    ],
)
def test_cells_that_do_not_all_fit_the_form_are_an_error(cell, said):
    with pytest.raises(UsageError) as error:
        planned(table(cell), "dataset.target=y")
    assert "column 'b'" in str(error.value)
    assert said in str(error.value)


def test_a_column_that_is_called_categorical_stays_as_it_is_written():
    facts = facts_of(table(lambda i: f"{i % 7}%"), "dataset.target=y", "dataset.categorical=[b]")
    assert (facts.readings, facts.categories) == ({}, ["b"])
    facts = facts_of(table(lambda i: f"{i % 3}%"), "dataset.target=b", "dataset.task=multiclass")
    assert (facts.readings, facts.labels) == ({}, ["0%", "1%", "2%"])


def test_percentages_that_are_few_whole_numbers_are_classes_for_the_jobs_too():
    made = planned(table(lambda i: f"{(5, 10, 20)[i % 3]}%"), "dataset.target=b")
    dataset = made.cells[0].settings.dataset
    assert (dataset.task, dataset.facts.labels) == ("multiclass", ["5", "10", "20"])
    assert load(dataset).n_classes == 3


def test_blanks_around_texts_make_no_other_class_or_level():
    made = planned(
        lines_of("a,b,y", '{x},"{w} ",{v}{p}').replace('"red "', "red").replace("a1", "a0").replace("b1", "b0 "),
        "dataset.target=y",
    )
    facts = made.cells[0].settings.dataset.facts
    assert facts.labels == ["a0", "b0"]
    assert facts.readings == {"y": "text", "b": "text"}
    assert "data.csv: blanks around the texts are taken off: b, y" in made.notes
    assert sorted(load(made.cells[0].settings.dataset).preprocessing["texts"]["levels"][0]) == ["blue", "green", "red"]


def test_a_mark_of_a_missing_value_may_have_blanks_around_it():
    cells = table(lambda i: "NA " if i == 3 else "? " if i == 5 else f"{number(i)}")
    argv = ["dataset.target=y", "dataset.missing=drop", 'dataset.missing_values=["?"]']
    assert facts_of(cells, *argv).n_samples == 58


# ---- Keys of cells, recorded before cells were read otherwise: they stay for every file that is read as before.


KEYS = {
    "numbers": "d1b2cd1f7ed07cfc",
    "classes": "15d1415f37f0238d",
    "two classes": "e09a573d5ff8757e",
    "texts": "96aa835f0c59d8f4",
    "gaps": "8abf9b546185c143",
    "dropped": "9730c0078e761ea2",
    "semicolons": "be4769e7564ffbc4",
    "blanks after commas": "bbb4754c5e9a6755",
    "left out": "9891fffa62f3f22f",
    "labels": "a625af88a345bee8",
    "several": "5ed5dc21ab8dd1c8",
    "shares": "2e0c532c8bb3b382",
    "utf-16": "31fbc848f44dffb5",
    "categories": "66802432d4ff4b90",
}


@pytest.mark.parametrize("name", PLAIN_TABLES)
def test_a_file_that_is_read_as_before_keeps_its_cells_keys(name):
    content, argv = PLAIN_TABLES[name]
    encoding = "utf-16" if "dataset.encoding=utf-16" in argv else "utf-8"
    assert planned(content.encode(encoding), *argv, "repeat=seeds", "tune=none").cells[0].key[:16] == KEYS[name]


# ---- Other files than plain CSV.


PLAIN_FILE = PLAIN_TABLES["texts"][0]


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("data.csv.gz", gzip.compress(PLAIN_FILE.encode())),
        ("data.csv.bz2", bz2.compress(PLAIN_FILE.encode())),
        ("data.csv.xz", lzma.compress(PLAIN_FILE.encode())),
        ("data.zip", zipped({"data.csv": PLAIN_FILE, "__MACOSX/._data.csv": "x"})),
        # What it is shows in its bytes, not in its name.
        ("data.txt", gzip.compress(PLAIN_FILE.encode())),
    ],
)
def test_a_packed_file_gives_the_data_of_the_file_in_it(name, packed):
    plain = planned(PLAIN_FILE, "dataset.target=y").cells[0].settings.dataset
    found = planned(packed, "dataset.target=y", path=name).cells[0].settings.dataset
    assert load(found).digest == load(plain).digest
    assert found.facts.digest != plain.facts.digest


def test_a_line_of_a_packed_file_is_named():
    broken = gzip.compress(PLAIN_FILE.replace("0.0,", "inf,", 1).encode())
    with pytest.raises(UsageError, match=r"data\.csv\.gz, line 2: column 'a' has an infinite value"):
        planned(broken, "dataset.target=y", path="data.csv.gz")


def test_json_lines_give_the_data_of_the_same_csv_file():
    rows = [dict(zip("acdy", line.split(","), strict=True)) for line in PLAIN_FILE.splitlines()[1:]]
    objects = [{**row, "a": float(row["a"]), "y": float(row["y"])} for row in rows]
    plain = planned(PLAIN_FILE, "dataset.target=y").cells[0].settings.dataset
    text = "".join(json.dumps(each) + "\n" for each in objects)
    for name, content in (("data.jsonl", text.encode()), ("data.ndjson.gz", gzip.compress(text.encode()))):
        found = planned(content, "dataset.target=y", path=name).cells[0].settings.dataset
        assert load(found).digest == load(plain).digest
    del objects[3]["a"]
    objects[4]["c"], objects[5]["d"] = None, "NA"
    gaps = "".join(json.dumps(each) + "\n\n" for each in objects)
    with pytest.raises(UsageError, match=r"line 7: column 'a' has no value. Missing values: a \(1\), c \(1\), d \(1\)"):
        planned(gaps, "dataset.target=y", path="data.jsonl")
    assert planned(gaps, "dataset.target=y", "dataset.missing=drop", path="data.jsonl").cells


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n{"a": \n', "data.jsonl, line 2: this line is no JSON: Expecting value"),
        ('{"a": 1}\n5\n', "data.jsonl, line 2: this line is no object but 5."),
        ("[1,\n2]\n", "data.jsonl, line 1: this is JSON in one piece"),
        ('{"a": 1, "a ": 2}\n', "the column name 'a' is there more than once"),
        ("\n\n", "data.jsonl: the file is empty."),
    ],
)
def test_the_error_of_broken_json_lines_names_the_line(content, said):
    with pytest.raises(UsageError) as error:
        planned(content, "dataset.target=a", path="data.jsonl")
    assert said in str(error.value)


def test_comments_and_excels_first_line_above_the_header_are_passed_over():
    plain = load(planned(PLAIN_FILE, "dataset.target=y").cells[0].settings.dataset)
    for above, said in (
        ("# a survey\n# of 2024, in two parts\n\n", "'# a survey' (and 1 line more)"),
        ('# it is 5" wide\n', "'# it is 5\" wide'"),
        ("#\n", "'#'"),
    ):
        made = planned(above + PLAIN_FILE, "dataset.target=y")
        assert f"data.csv: passed over above the header: {said}" in made.notes
        assert load(made.cells[0].settings.dataset).digest == plain.digest
    made = planned("sep=;\n" + PLAIN_FILE.replace(",", ";"), "dataset.target=y")
    assert "data.csv: passed over above the header: 'sep=;'; ';' separates the columns" in made.notes
    assert (made.cells[0].settings.dataset.facts.sep, made.cells[0].settings.dataset.facts.n_above) == (";", 1)
    assert load(made.cells[0].settings.dataset).digest == plain.digest
    inf = ("sep=;\n# x\n" + PLAIN_FILE.replace(",", ";")).replace("0.0;", "inf;", 1)
    with pytest.raises(UsageError, match=r"data\.csv, line 4: column 'a' has an infinite value"):
        planned(inf, "dataset.target=y")


def test_a_header_may_begin_with_a_number_sign():
    facts = facts_of("#" + PLAIN_FILE, "dataset.target=y")
    assert facts.numbers == ["#a"]
    assert facts.n_above == 0


def test_the_data_of_other_files_are_suggested_for_a_wrong_path():
    Path("house.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(UsageError, match=r"did you mean 'house\.jsonl'"):
        plan("dataset.path=hose.jsonl", "dataset.target=a")
