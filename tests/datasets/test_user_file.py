"""A file of the user's: what is wrong with it is said with its line, what is right goes from the file to the table."""

import gzip
import json
import os
import pickle
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.commands import BIN, run
from support.tables import alternatives, plan, planned, with_settings, zipped

from lossbench.datasets.loading import load
from lossbench.datasets.user_file import reading as files
from lossbench.ground.errors import UsageError
from lossbench.planning import file_descriptions
from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan
from lossbench.results.part_files import read_run


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    """Every test plans in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))


def settings_of(content: str | bytes, *argv: str):
    return planned(content, *argv).cells[0].settings.dataset


def message(content: str | bytes, *argv: str, path: str = "data.csv") -> str:
    with pytest.raises(UsageError) as error:
        planned(content, *argv, path=path)
    return str(error.value)


def signs(i: int) -> dict[str, str]:
    """Return cells that are written otherwise in some rows than in others."""
    return {
        "mixed": "abc" if i % 3 == 0 else str(i % 11),
        "percents": f"{i % 11}%" if i % 2 else str(i % 11),
        "currencies": f"{'$' if i % 2 else '€'}{i}",
        "cases": ["Yes", "no", "yes"][i % 3] if i else "Yes",
    }


def rows(n: int, *, header: str = "a,b,y", row: str = "{i},{half},{third}") -> str:
    lines = [row.format(i=i, half=i / 2, third=i / 3, odd=i % 2, abc="abc"[i % 3], **signs(i)) for i in range(n)]
    return "\n".join([header, *lines]) + "\n"


def changed(n: int, line: int, text: str, **how: str) -> str:
    """Return good rows of which one line (from 1, with the header) is another."""
    lines = rows(n, **how).splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


CLASSES = {"header": "a,b,y", "row": "{i},{half},{abc}"}
GOOD = rows(20)


# ---- Broken files.


BROKEN = [
    pytest.param(
        GOOD, ["dataset.target=x"], "data.csv has no column 'x' (dataset.target).", "there is a, b, y.", id="no target"
    ),
    pytest.param(
        rows(9, header="a,b,price"),
        ["dataset.target=prise"],
        "has no column 'prise'",
        "did you mean 'price'?",
        id="nearest name",
    ),
    pytest.param(GOOD, [], "dataset=csv needs a target.", "one of a, b, y", id="target not given"),
    pytest.param(
        GOOD, ["dataset.leave_out=[c]"], "has no column 'c' (dataset.leave_out)", "there is a, b, y.", id="leave out"
    ),
    pytest.param("", [], "data.csv: the file is empty.", "must name the columns", id="empty"),
    pytest.param("a,b,y\n", [], "data.csv: there are no rows below the header.", "", id="no rows"),
    pytest.param(
        rows(1),
        ["dataset.task=regression"],
        "data.csv: the target 'y' is always 0: nothing to predict.",
        "",
        id="one row",
    ),
    pytest.param(
        rows(2),
        ["repeat=seeds"],
        "dataset.split.test must be at least one sample; got 0.4 of 2 rows of data.csv.",
        "",
        id="too few for the shares",
    ),
    pytest.param(
        GOOD,
        ["dataset.split.train=15", "dataset.split.test=10"],
        "dataset.split takes 25 samples (train 15, validation 0, test 10); data.csv has 20.",
        "take fewer.",
        id="too few for the counts",
    ),
    pytest.param(
        rows(20, row="{i},{half},yes"),
        [],
        "the target 'y' is always yes: nothing to predict.",
        "it may be another column: dataset.target=a or dataset.target=b; or add rows with other values of y.",
        id="one class",
    ),
    pytest.param(
        changed(20, 7, "1,2,z", **CLASSES),
        [],
        "data.csv, line 7: class 'z' of 'y' has one row only.",
        "each class needs a row to train on and one to judge by",
        id="a class of one row",
    ),
    pytest.param(
        changed(
            20,
            5,
            "1,,2",
        ),
        [],
        "data.csv, line 5: column 'b' has no value. Missing values: b (1).",
        "dataset.missing=drop leaves such rows out, dataset.missing=impute",
        id="missing",
    ),
    pytest.param(
        changed(20, 5, "1,NA,"),
        [],
        "line 5: column 'y' has no value. Missing values: y (1), b (1).",
        "drop",
        id="missing target",
    ),
    pytest.param(
        "x,z,y\n,1,1\n1,,2\n2,,3\n,2,4\n",
        ["dataset.missing=drop"],
        "data.csv: no row is left: each one has a missing value.",
        "'x' misses 2 of 4: 'dataset.leave_out=[x]', or dataset.missing=impute",
        id="drop leaves nothing",
    ),
    pytest.param(
        changed(20, 6, "4,?,5"),
        [],
        "data.csv, line 6: column 'b' has numbers but for '?'.",
        """if it means a missing value: 'dataset.missing_values=["?"]' dataset.missing=impute""",
        id="question mark",
    ),
    pytest.param(
        changed(20, 6, "4,1,n.v.").replace("6,3.0,2.0", "6,3.0,k.A."),
        [],
        "line 6: column 'y' has numbers but for 'n.v.' (and 1 cell more).",
        "dataset.categorical=[y]",
        id="text in the target",
    ),
    pytest.param(changed(20, 9, "1,inf,2"), [], "line 9: column 'b' has an infinite value.", "leave_out=[b]", id="inf"),
    pytest.param(changed(20, 9, "1,1e400,2"), [], "line 9: column 'b' has an infinite value.", "", id="1e400"),
    pytest.param(
        changed(20, 9, "1,1,-1e400"), [], "line 9: column 'y' has an infinite value.", "", id="infinite target"
    ),
    pytest.param(
        changed(20, 9, "1,1e39,2"),
        [],
        "line 9: column 'b' has 1e+39, too large for single precision.",
        "",
        id="too large",
    ),
    pytest.param(
        rows(20, header="a,a,y"),
        [],
        "data.csv, line 1: the column name 'a' is there more than once (columns 1 and 2).",
        "rename all but one.",
        id="duplicate names",
    ),
    pytest.param(
        rows(20).partition("\n")[2],
        [],
        "line 1: there is no header: the first line is all numbers (0, 0.0, 0.0, …).",
        "name the columns in a line before it.",
        id="no header",
    ),
    pytest.param(
        rows(20, row="{i},{i},{half},{third}"),
        [],
        "line 1: every row has 4 fields, the header has 3: the header lacks a name",
        "a name for each field.",
        id="an extra field in every row",
    ),
    pytest.param(
        "a survey\n" + GOOD,
        [],
        "data.csv, line 1: the first line is no header: it has 1 field, the rows have 3.",
        "take out what stands above the header.",
        id="a title first",
    ),
    pytest.param(
        GOOD.replace(",", " "), [], "does not separate its columns, ' ' does.", "\"dataset.sep=' '\"", id="blanks"
    ),
    pytest.param(
        rows(20, row="{i},{half},{third},"), [], "the header has 3: rows end in a separator.", "", id="rows end so"
    ),
    pytest.param(
        changed(20, 8, "1,2,3,4"),
        [],
        "data.csv, line 8: this row has 4 fields, the header has 3.",
        "a field that contains the separator stands in quotes.",
        id="a row too long",
    ),
    pytest.param(
        changed(20, 8, "1,2"), [], "line 8: this row has 2 fields, the header has 3.", "", id="a row too short"
    ),
    pytest.param(
        GOOD.replace(",", ";"),
        [],
        "line 1: dataset.sep=, does not separate its columns, ';' does.",
        "\"dataset.sep=';'\"",
        id="semicolons",
    ),
    pytest.param(
        GOOD.replace(",", ";").replace(".", ","),
        [],
        "';' does; numbers have a decimal comma.",
        """"dataset.sep=';'" "dataset.decimal=','\"""",
        id="semicolons and decimal commas",
    ),
    pytest.param(GOOD.replace(",", "\t"), [], "tab does.", "dataset.sep=tab", id="tabs"),
    pytest.param(
        GOOD.replace(",", ";").replace(".", ","),
        ["dataset.sep=';'"],
        "line 2: column 'y' is text with dataset.decimal='.': '0,0'.",
        "\"dataset.decimal=','\" reads it as numbers",
        id="decimal comma",
    ),
    pytest.param(
        changed(20, 8, '1,"2,3'),
        [],
        "data.csv, line 8: a quote is opened here that is not closed in its row.",
        '"5"" disk"',
        id="a quote that is never closed",
    ),
    pytest.param(
        changed(20, 8, '1,"2,3').replace("9,4.5,", '9,"4.5",'),
        [],
        "line 8: a quote is opened here",
        "",
        id="a quote that another closes",
    ),
    pytest.param(
        GOOD.encode().replace(b"7,3.5", b"7,\x003.5"), [], "data.csv, line 9: there is a NUL byte.", "damaged", id="NUL"
    ),
    pytest.param(
        changed(20, 4, "1,2,größer").encode("cp1252"),
        [],
        "data.csv, line 4: these bytes are not written in utf-8.",
        "cp1252 reads the file: dataset.encoding=cp1252",
        id="wrong encoding",
    ),
    pytest.param(
        changed(20, 4, "1,2,größer").encode(),
        ["dataset.encoding=ascii"],
        "line 4: these bytes are not written in ascii.",
        "utf-8 reads the file",
        id="a narrow encoding",
    ),
    pytest.param(
        GOOD.encode("utf-16"),
        [],
        "line 1: it is not written in utf-8 but in UTF-16.",
        "dataset.encoding=utf-16",
        id="UTF-16",
    ),
    pytest.param(GOOD, ["dataset.encoding=hex"], "dataset.encoding=hex is not known.", "utf-8", id="no text encoding"),
    pytest.param(GOOD, ["dataset.encoding=utf-9"], "dataset.encoding=utf-9 is not known.", "cp1252", id="no encoding"),
    pytest.param(
        pickle.dumps(GOOD),
        [],
        "data.csv: this is no text but a pickle, which is never loaded",
        "CSV or Parquet",
        id="a pickle",
    ),
    pytest.param(
        b"PK\x03\x04" + bytes(30), [], "data.csv: it cannot be unpacked: ", "unpack it by hand", id="no zip archive"
    ),
    pytest.param(
        zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}),
        [],
        "data.csv: this is no text but an Excel workbook",
        "save its sheet as CSV",
        id="a workbook",
    ),
    pytest.param(b"PAR1" + bytes(30), [], "a Parquet file (name it .parquet)", "", id="Parquet by the wrong name"),
    pytest.param(
        rows(20, row="x,2020-01-{i},{third}"),
        [],
        "data.csv: there is no column to predict from.",
        "left out: a (constant), b (dates)",
        id="no feature",
    ),
    pytest.param(
        rows(20, **CLASSES),
        ["dataset.task=regression"],
        "data.csv, line 2: dataset.task=regression needs numbers; the target 'y' has 'a'.",
        "classes",
        id="no numbers",
    ),
    pytest.param(
        rows(20, **CLASSES),
        ["dataset.task=binary"],
        "dataset.task=binary needs two classes; 'y' has 3: a, b, c.",
        "dataset.task=multiclass",
        id="not binary",
    ),
    pytest.param(
        rows(20, row="{i},{half},{odd}"),
        ["dataset.task=multiclass"],
        "needs more than two classes; 'y' has 0, 1.",
        "dataset.task=binary",
        id="not multiclass",
    ),
    pytest.param(
        rows(20, row="{i},{half},{odd}"),
        ["dataset.target=[b,y]", "dataset.task=multilabel"],
        "line 3: dataset.task=multilabel needs 0 or 1 in every target; got 0.5, 1.",
        "",
        id="not labels",
    ),
    pytest.param(
        rows(20),
        ["dataset.target=[b,y]", "dataset.task=shares"],
        "line 2: dataset.task=shares needs shares from 0 that sum to 1; got 0, 0.",
        "",
        id="not shares",
    ),
    pytest.param(
        rows(20), ["dataset.task=shares"], "dataset.task=shares needs several targets; got 'y'.", "", id="one share"
    ),
    pytest.param(
        rows(20, **CLASSES),
        ["dataset.target=[a,y]"],
        "line 2: several targets must be numbers; the target 'y' has 'a'.",
        "",
        id="texts among targets",
    ),
    pytest.param(
        rows(20, **CLASSES),
        ["dataset.ordered=true"],
        "dataset.ordered=true needs classes that are written as numbers",
        "",
        id="no order",
    ),
    pytest.param(
        rows(60, row='{i},"{i},5",{third}'),
        [],
        "line 2: column 'b' is text with dataset.decimal='.': '0,5'.",
        "write its numbers with a point in the file, or 'dataset.leave_out=[b]'; 'dataset.categorical=[b]' keeps it",
        id="a decimal comma between commas",
    ),
    pytest.param(
        rows(60, header="a;b;y", row="{i};{i},123;{i}"),
        ["dataset.sep=;"],
        "line 2: column 'b' is text with dataset.decimal='.': '0,123'.",
        "\"dataset.decimal=','\" reads it as numbers; 'dataset.categorical=[b]' keeps it as text.",
        id="decimal commas or thousands",
    ),
    pytest.param(
        "sep=;\n" + GOOD.replace(",", ";").replace(".", ","),
        [],
        "line 3: column 'y' is text with dataset.decimal='.': '0,0'.",
        """"dataset.sep=';'" "dataset.decimal=','" reads it""",
        id="Excel's first line and decimal commas",
    ),
    pytest.param(
        "sep=;\n" + GOOD.replace(",", ";"),
        ["dataset.sep=tab"],
        "line 1: its first line says that ';' separates its columns; dataset.sep is '\\t'.",
        "\"dataset.sep=';'\"",
        id="Excel's first line and another separator",
    ),
    pytest.param(
        "# one,two,three\n" + GOOD,
        [],
        "data.csv, line 1: this line begins with '#': it can be a comment or name the columns.",
        "take it out if it is a comment, or its # if it names the columns.",
        id="a comment or a header",
    ),
    pytest.param(
        changed(20, 7, "# second day"),
        [],
        "data.csv, line 7: this line begins with '#': a comment among the rows",
        "grep -v '^#' data.csv > clean.csv",
        id="a comment among the rows",
    ),
    pytest.param(
        rows(60, row="{i},{mixed},{third}"),
        [],
        "line 2: column 'b' has numbers but for 'abc' (and 19 cells more).",
        "'dataset.missing_values=[abc]' dataset.missing=impute; if the numbers are names: 'dataset.categorical=[b]'",
        id="a third is text",
    ),
    pytest.param(
        rows(60, row="{i},{percents},{third}"),
        [],
        "line 3: column 'b' has numbers that are written in several ways, such as '1%' and '0'.",
        "write them in one way, or 'dataset.leave_out=[b]'; if they are names: 'dataset.categorical=[b]'",
        id="some percentages",
    ),
    pytest.param(
        rows(60, row="{i},{half},{currencies}"),
        [],
        "line 2: column 'y' has numbers that are written in several ways, such as '€0' and '$1'.",
        "write them in one way; if they are names: 'dataset.categorical=[y]'",
        id="two currencies in the target",
    ),
    pytest.param(
        rows(60, row="{i},{half},{cases}"),
        [],
        "data.csv, line 4: the classes 'Yes' and 'yes' of the target 'y' differ by upper and lower case alone.",
        "write them in one way in the file; if they are two classes: 'dataset.categorical=[y]'",
        id="classes that differ by case",
    ),
    pytest.param(
        rows(60, row="{i},{half},7"),
        [],
        "data.csv: the target 'y' is always 7: nothing to predict.",
        "it may be another column: dataset.target=a or dataset.target=b; or add rows with other values of y.",
        id="a constant number",
    ),
    pytest.param(
        '{"a": 1, "y": 2}\n{"a": 2, "y": 3}\n',
        [],
        "data.csv, line 1: this is no CSV but JSON lines.",
        "name it data.jsonl",
        id="JSON lines by the wrong name",
    ),
    pytest.param(
        '[{"a": 1, "y": 2},\n{"a": 2, "y": 3}]\n',
        [],
        "data.csv, line 1: this is JSON in one piece, not an object in each line.",
        "python -c \"import pandas; pandas.read_json('data.csv').to_json('lines.jsonl', ",
        id="an array of JSON",
    ),
    pytest.param(
        zipped({"a.csv": GOOD, "b.csv": GOOD}),
        [],
        "data.csv: a zip archive must hold one file; it has 2: a.csv, b.csv.",
        "`unzip data.csv` unpacks it; then name a file of it.",
        id="two files in an archive",
    ),
    pytest.param(
        gzip.compress(GOOD.encode())[:-20],
        [],
        "data.csv: it cannot be unpacked: ",
        "unpack it by hand, and name the file in it.",
        id="a damaged archive",
    ),
    pytest.param(GOOD, ["dataset.task=ranking"], "dataset.task must be one of auto, regression", "", id="no task"),
    pytest.param(GOOD, ["dataset.sep=,,"], "dataset.sep", "", id="no separator"),
]


@pytest.mark.parametrize(("content", "argv", "said", "hint"), BROKEN)
def test_the_error_of_a_broken_file_names_the_place_and_the_remedy(content, argv, said, hint):
    target = ["dataset.target=y"] if not any("target" in text for text in argv) and "needs a target" not in said else []
    text = message(content, *target, *argv)
    assert said in text
    assert hint in text
    assert text.startswith("error: ")


def said_of(content: str | bytes, *argv: str) -> str:
    """Return the errors of planning, '' if there are none."""
    try:
        planned(content, *argv)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("content", "argv", "said", "hint"), BROKEN)
def test_the_settings_that_a_hint_names_get_past_the_error(content, argv, said, hint):
    target = ["dataset.target=y"] if not any("target" in text for text in argv) and "needs a target" not in said else []
    before = message(content, *target, *argv)
    for settings in alternatives(before.partition("hint: ")[2]):
        assert said not in said_of(content, *with_settings([*target, *argv], settings)), settings


@pytest.mark.parametrize(
    ("content", "edited"),
    [
        pytest.param(
            rows(60, row="{i},{half},{cases}"), rows(60, row="{i},{half},{cases}").replace("Yes", "yes"), id="case"
        ),
        pytest.param(rows(60, row="{i},{half},7"), rows(60, row="{i},{half},{odd}"), id="constant"),
        pytest.param("# one,two,three\n" + GOOD, GOOD, id="a comment"),
        pytest.param(changed(20, 7, "# second day"), changed(20, 7, "1,2,3"), id="a comment among the rows"),
        pytest.param(rows(60, row='{i},"{i},5",{third}'), rows(60, row="{i},{i}.5,{third}"), id="decimal comma"),
        pytest.param(rows(60, row="{i},{percents},{third}"), rows(60, row="{i},{i}%,{third}"), id="percentages"),
    ],
)
def test_the_edit_that_a_hint_names_gets_past_the_error(content, edited):
    assert message(content, "dataset.target=y")
    assert planned(edited, "dataset.target=y").cells


def test_the_commands_that_hints_name_make_files_that_are_read():
    def followed(content: str, path: str, made: str) -> None:
        hint = message(content, "dataset.target=y", path=path).partition("hint: ")[2]
        command = hint.partition(" writes ")[0].strip("`").partition("` ")[0]
        subprocess.run(command, shell=True, check=True, env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        assert plan(f"dataset.path={made}", "dataset.target=y").cells

    array = json.dumps([{"a": i, "b": "uv"[i % 2], "y": i / 7} for i in range(60)])
    followed(array, "rows.csv", "lines.jsonl")
    followed(changed(60, 7, "# second day"), "noted.csv", "clean.csv")
    lines = "".join(json.dumps({"a": i, "y": i / 7}) + "\n" for i in range(60))
    assert message(lines, "dataset.target=y", path="few.csv").endswith("hint: name it few.jsonl")
    Path("few.csv").rename("few.jsonl")
    assert plan("dataset.path=few.jsonl", "dataset.target=y").cells


def refused(*argv: str) -> str:
    with pytest.raises(UsageError) as error:
        plan("dataset.target=y", *argv)
    return str(error.value)


def test_a_path_that_is_no_regular_file_is_refused_unread(tmp_path):
    Path("house.csv").write_text(GOOD)
    os.mkfifo("pipe.csv")
    Path("folder").mkdir()
    Path("folder/inside.csv").write_text(GOOD)
    assert "dataset=csv needs a file." in refused()
    assert "there is no file hose.csv.\n  hint: did you mean 'house.csv'?" in refused("dataset.path=hose.csv")
    assert "in folder there is inside.csv." in refused("dataset.path=folder/quite_other.csv")
    assert "dataset.path=folder is a folder.\n  hint: name a file in it: inside.csv" in refused("dataset.path=folder")
    assert "dataset.path=pipe.csv is a pipe, no regular file." in refused("dataset.path=pipe.csv")
    assert "is a device or a socket, no regular file." in refused("dataset.path=/dev/zero")
    assert "this is no Parquet file" in message(GOOD, "dataset.target=y", path="data.parquet")
    assert "cannot be read as Parquet" in message(b"PAR1" + bytes(90), "dataset.target=y", path="data.parquet")


def test_several_mistakes_about_a_file_are_reported_together():
    text = message(changed(20, 6, "?,?,1"), "dataset.target=y", "epochs=0")
    assert "column 'a' has numbers but for '?'" in text
    assert "column 'b' has numbers but for '?'" in text
    first, second = refused("dataset.task=x", "dataset.missing=y").split("error: ")[2:]
    assert (first.split(" ")[0], second.split(" ")[0]) == ("dataset.task", "dataset.missing")


# ---- What is inferred.


def columns_of(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    third = rng.integers(0, 3, n)
    shares = rng.dirichlet([1, 1, 1], n).round(6)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n).round(3),
            "text": np.array(["red", "green", "blue"])[third],
            "two": np.array(["no", "yes"])[third % 2],
            "truth": third % 2 == 0,
            "few": third + 3,
            "floats": third + 1.0,
            "halves": third / 2,
            "many": rng.permutation(n) * 7,
            "big": rng.integers(0, 2, n) * 5,
            "share_a": shares[:, 0],
            "share_b": shares[:, 1],
            "share_c": 1 - shares[:, 0] - shares[:, 1],
        }
    )


@pytest.mark.parametrize(
    ("target", "task", "labels", "said"),
    [
        pytest.param(
            "text", "multiclass", ["blue", "green", "red"], "target text: 3 classes, blue, green, red", id="text"
        ),
        pytest.param("two", "binary", ["no", "yes"], "2 classes, no, yes (binary)", id="two texts"),
        pytest.param("truth", "binary", ["False", "True"], "(binary)", id="true and false"),
        pytest.param(
            "few", "multiclass", ["3", "4", "5"], "dataset.task=regression takes them as numbers", id="few integers"
        ),
        pytest.param("floats", "multiclass", ["1", "2", "3"], "(multiclass)", id="whole floats"),
        pytest.param("big", "binary", ["0", "5"], "(binary)", id="two integers"),
        pytest.param("halves", "regression", [], "target halves: numbers (regression)", id="halves"),
        pytest.param("many", "regression", [], "numbers", id="many integers"),
        pytest.param("[truth,share_a]", "regression", [], "targets truth, share_a: numbers", id="several numbers"),
        pytest.param("[share_a,share_b,share_c]", "shares", ["share_a", "share_b", "share_c"], "(shares)", id="shares"),
    ],
)
def test_the_task_of_a_file_is_inferred_and_printed(target, task, labels, said):
    made = planned(columns_of().to_csv(index=False), f"dataset.target={target}", "dataset.leave_out=[x]")
    cell = made.cells[0]
    assert cell.task == task
    assert cell.settings.dataset.task == task
    assert cell.settings.dataset.facts.labels == labels
    assert said in made.notes[0]
    assert cell.settings.dataset.standardize.y == ("standard" if task == "regression" else "none")
    data = load(cell.settings.dataset)
    assert data.task == task
    assert all(np.isfinite(part.x).all() for part in data.splits.values())


def test_several_columns_of_0_and_1_are_labels_and_classes_may_be_called_numbers():
    table = columns_of().assign(a=lambda f: f.truth.astype(int), b=lambda f: (f.few == 4).astype(int))
    content = table.to_csv(index=False)
    several = settings_of(content, "dataset.target=[a,b]")
    assert (several.task, several.facts.n_outputs, load(several).n_classes) == ("multilabel", 2, 2)
    numbers = settings_of(content, "dataset.target=few", "dataset.task=regression")
    assert (numbers.task, numbers.facts.target_range) == ("regression", [3.0, 5.0])
    classes = settings_of(content, "dataset.target=many", "dataset.categorical=[few]", "dataset.ordered=false")
    assert "few" in classes.facts.categories
    ordered = planned(content, "dataset.target=few", "dataset.ordered=true", "loss=squared_earth_mover").cells[0]
    assert not ordered.outside_domain


def test_columns_without_information_are_left_out_with_a_warning():
    n = 60
    table = columns_of(n)[["x"]].assign(
        PassengerId=range(1, n + 1),
        name=[f"name {i}" for i in range(n)],
        day=[f"{i % 28 + 1:02d}.03.2021 12:00" for i in range(n)],
        gone=np.nan,
        always="same",
        towns=[f"town {i // 2}" for i in range(n)],
        years=range(1900, 1900 + n),
    )
    table["y"] = table.x * 2
    made = planned(table.to_csv(), "dataset.target=y", "dataset.max_levels=20")
    file = made.cells[0].settings.dataset.facts
    assert file.numbers == ["x", "years"]
    assert file.left_out == {
        "Unnamed: 0": "identifiers",
        "PassengerId": "identifiers",
        "name": "identifiers",
        "day": "dates",
        "gone": "empty",
        "always": "constant",
        "towns": "more than 20 levels",
    }
    assert made.notes[0] == "data.csv: 60 rows, 2 columns; target y: numbers (regression)"
    assert made.notes[1].startswith("data.csv: warning: left out Unnamed: 0 (identifiers), PassengerId (identifiers), ")


@pytest.mark.parametrize(("n_copies", "said"), [(20, "20 of 40 rows repeat"), (1, "1 of 21 rows repeats")])
def test_rows_that_repeat_others_are_a_warning(n_copies, said):
    lines = rows(20).splitlines()
    made = planned("\n".join(lines + lines[1 : 1 + n_copies]) + "\n", "dataset.target=y")
    assert made.notes[1].startswith(f"data.csv: warning: {said} an earlier one in all features and target; where")


def test_a_class_without_training_rows_is_a_warning():
    made = planned(
        rows(30, **CLASSES).replace("c\n", "b\n")[:-2] + "d\n28,1,d\n", "dataset.target=y", "dataset.split.seed=null"
    )
    assert "data.csv: warning: class 'd' is not among the training rows" in made.notes


# ---- What the network is given.


def test_texts_are_one_hot_encoded_by_the_training_rows():
    """Ten rows, six train: a text that only test rows have is 0 in every column."""
    texts = ["b", "a", "b", "a", "b", "a", "a", "b", "new", "new"]
    content = "x,t,y\n" + "".join(f"{i},{text},{i / 7}\n" for i, text in enumerate(texts))
    data = load(settings_of(content, "dataset.target=y", "dataset.split.seed=null", "dataset.standardize.x=none"))
    np.testing.assert_array_equal(data.splits["train"].x[:2], [[0, 0, 1], [1, 1, 0]])
    np.testing.assert_array_equal(data.splits["test"].x, [[6, 1, 0], [7, 0, 1], [8, 0, 0], [9, 0, 0]])


HOLES = "x,t,y\n1,a,1\n,a,2.5\n5,,3\n6,b,4\n,a,5\n9,b,\n7,a,7\n100,,8\n,b,9\n3,a,10\n4,b,11\n"


def test_missing_values_are_dropped_or_imputed_from_the_training_rows():
    argv = ["dataset.target=y", "dataset.split.seed=null", "dataset.standardize.x=none", "dataset.standardize.y=none"]
    dropped = planned(HOLES, *argv, "dataset.missing=drop")
    data = load(dropped.cells[0].settings.dataset)
    assert np.concatenate([part.y for part in data.splits.values()])[:, 0].tolist() == [1, 4, 7, 10, 11]
    assert "data.csv: 6 rows that miss a value are left out" in dropped.notes
    imputed = planned(HOLES, *argv, "dataset.missing=impute")
    assert "data.csv: 1 rows that miss the target are left out" in imputed.notes
    data = load(imputed.cells[0].settings.dataset)
    # Training rows: x of 1, 5, 6, 7 with median 5.5; t is mostly a.
    assert data.splits["train"].x.tolist() == [[1, 1, 0], [5.5, 1, 0], [5, 1, 0], [6, 0, 1], [5.5, 1, 0], [7, 1, 0]]
    assert data.splits["test"].x.tolist() == [[100, 1, 0], [5.5, 0, 1], [3, 1, 0], [4, 0, 1]]


def test_missing_values_may_be_marked_by_other_words():
    content = changed(20, 6, "4,?,5")
    settings = settings_of(content, "dataset.target=y", 'dataset.missing_values=["?"]', "dataset.missing=drop")
    assert settings.facts.n_samples == 19


@pytest.mark.parametrize(
    ("write", "argv"),
    [
        pytest.param(
            lambda f: f.to_csv(sep=";", decimal=",", index=False), ["dataset.sep=';'", "dataset.decimal=','"], id=";"
        ),
        pytest.param(lambda f: f.to_csv(sep="\t", index=False), ["dataset.sep=tab"], id="tab"),
        pytest.param(lambda f: f.to_csv(index=False).encode("utf-16"), ["dataset.encoding=utf-16"], id="UTF-16"),
        pytest.param(lambda f: f.to_csv(index=False).encode("utf-8-sig"), [], id="byte order mark"),
        pytest.param(lambda f: f.to_csv(index=False, lineterminator="\r\n"), [], id="Windows"),
        pytest.param(lambda f: f.to_csv(index=False, quoting=1).replace(",", ", "), [], id="quotes and blanks"),
        pytest.param(lambda f: "\n" + f.to_csv(index=False).replace("\n", "\n\n"), [], id="empty lines"),
    ],
)
def test_the_same_table_in_another_csv_dialect_is_the_same_data(write, argv):
    table = columns_of()
    plain = load(settings_of(table.to_csv(index=False), "dataset.target=x"))
    assert load(settings_of(write(table), "dataset.target=x", *argv)).digest == plain.digest


def test_a_parquet_file_gives_the_same_data_as_a_csv_file():
    table = columns_of()
    table.loc[3:5, "few"] = np.nan
    table.loc[7, "text"] = None
    argv = ["dataset.target=x", "dataset.missing=impute"]
    plain = settings_of(table.to_csv(index=False), *argv)
    table.astype({"text": "category"}).to_parquet("data.parquet", index=True)
    parquet = plan("dataset.path=data.parquet", *argv).cells[0].settings.dataset
    for name in ("numbers", "categories", "n_samples", "target_range"):
        assert getattr(parquet.facts, name) == getattr(plain.facts, name)
    assert load(parquet).digest == load(plain).digest
    dated = table.assign(day=pd.Timestamp("2020-01-01"), things=[[1]] * len(table))
    dated.to_parquet("data.parquet")
    left_out = plan("dataset.path=data.parquet", *argv).cells[0].settings.dataset.facts.left_out
    assert left_out["day"] == "dates"
    assert left_out["things"].startswith("neither numbers nor text")
    table.assign(x=np.inf).to_parquet("data.parquet")
    assert "data.parquet, row 1: column 'x' has an infinite value (and 59 cells more)." in refused(
        "dataset.path=data.parquet", *argv
    )


def test_the_key_of_a_cell_depends_on_a_files_content_not_on_its_path():
    first = planned(GOOD, "dataset.target=y").cells[0]
    Path("sub").mkdir()
    shutil.copy("data.csv", "sub/other.csv")
    assert plan("dataset.path=sub/other.csv", "dataset.target=y").cells[0].key == first.key
    assert planned(changed(20, 4, "2,1.0,9"), "dataset.target=y").cells[0].key != first.key


def test_a_file_is_read_once_while_it_stays_the_same(monkeypatch):
    before = planned(GOOD, "dataset.target=y")
    file_descriptions._kept.clear()
    files._read_table.cache_clear()
    monkeypatch.setattr(files, "_read_csv", None)
    again = plan("dataset.path=data.csv", "dataset.target=y")
    assert (again.cells[0].key, again.notes) == (before.cells[0].key, before.notes)


def test_a_file_that_changes_before_its_job_fails_it():
    settings = settings_of(GOOD, "dataset.target=y")
    Path("data.csv").write_text(changed(20, 4, "2,1.0,9"))
    with pytest.raises(ValueError, match=r"data\.csv has changed since the sweep was planned"):
        load(settings)


def test_a_file_can_be_a_choice_in_the_users_conf():
    Path("conf/dataset").mkdir(parents=True)
    Path("conf/dataset/house.yaml").write_text("defaults: [csv, _self_]\npath: house.csv\ntarget: y\n")
    Path("house.csv").write_text(GOOD)
    made = make_plan(read_overrides(["dataset=house,circles", "loss=auto"], multirun=True), "lossbench")
    assert [cell.name for cell in made.cells] == [
        "house/mean_squared_error/linear",
        "circles/binary_crossentropy/sigmoid",
    ]
    taken = make_plan(read_overrides(["dataset=house", "loss=all"], multirun=True), "lossbench")
    assert "house/huber/linear" in [cell.name for cell in taken.cells]
    # Standardized targets can be negative; as they are, these are not.
    assert "house/poisson/exponential" not in [cell.name for cell in taken.cells]
    as_they_are = make_plan(
        read_overrides(["dataset=house", "loss=all", "dataset.standardize.y=none"], multirun=True), "lossbench"
    )
    assert "house/poisson/exponential" in [cell.name for cell in as_they_are.cells]


def test_swept_files_are_named_apart():
    Path("one.csv").write_text(GOOD)
    Path("two.csv").write_text(rows(30))
    made = plan("dataset.path=one.csv,two.csv", "dataset.target=y", "loss=mse")
    assert [cell.data for cell in made.cells] == ["one.csv", "two.csv"]
    assert [cell.settings.dataset.facts.n_samples for cell in made.cells] == [20, 30]


# ---- From the file to the table.


def realistic(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    area, zone = rng.integers(40, 300, n), rng.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2])
    lot = np.where(rng.random(n) < 0.1, np.nan, rng.normal(900, 200, n).round())
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "area": area,
            "zone": np.where(rng.random(n) < 0.05, None, zone),
            "lot": lot,
            "sold": pd.date_range("2015-03-01", periods=n).strftime("%Y-%m-%d"),
            "garden": rng.random(n) < 0.4,
            "price": (2000 * area + 40000 * (zone == "north") + rng.normal(0, 9000, n)).round(-2).astype(int),
        }
    )


def test_a_sweep_on_a_file_runs_and_continues(tmp_path):
    realistic().to_csv("house.csv", index=False)
    argv = ["-m", "dataset=csv", "dataset.path=house.csv", "dataset.target=price", "dataset.missing=impute"]
    argv += ["loss=mse,huber", "seeds=1", "repeat.repetitions=1", "tune=none", "epochs=30", "name=house"]
    done = run(tmp_path, *argv)
    assert done.status == 0, done.err
    assert done.err == ""
    lines = done.out.splitlines()
    assert "house: 2 cells, 10 runs, 0 finished" in lines
    assert "  house.csv: 400 rows, 4 columns (1 encoded from text); target price: numbers" in lines
    assert "  house.csv: warning: left out id (identifiers), sold (dates)" in lines
    assert max(map(len, lines)) <= 80
    table = pd.read_csv("multirun/house/results.csv")
    # In the target's unit: far better than the mean, whose error is the prices' deviation.
    assert 9000 < table["test/rmse"].mean() < 40000
    folder = next(Path("multirun/house").glob("house.csv-huber*"))
    described = json.loads((folder / "cell.json").read_text())
    assert all(run.info.naive["test/rmse"] > 90000 for run in map(read_run, folder.glob("parts/repetition=*")))
    assert described["settings"]["dataset"]["file"]["left_out"] == {"id": "identifiers", "sold": "dates"}
    again = run(tmp_path, *argv)
    assert "house: 2 cells, 10 runs, 10 finished; nothing to run" in again.out
    Path("house.csv").rename("home.csv")
    renamed = run(tmp_path, *(text.replace("house.csv", "home.csv") for text in argv), "tracking.enabled=false")
    assert "house: 2 cells, 10 runs, 10 finished; nothing to run" in renamed.out
    assert "On home.csv" in renamed.out
    Path("home.csv").unlink()
    realistic(380).to_csv("house.csv", index=False)
    changed_file = run(tmp_path, *argv)
    assert changed_file.status == 0, changed_file.err
    # The network of the better loss was trained on all rows too.
    assert "0 finished; 11 runs of other settings on disk (changed: dataset.file.digest" in changed_file.out


@pytest.mark.slow
def test_a_million_rows_train_within_four_gigabytes(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1_000_000, 18)).round(5)
    table = pd.DataFrame(x, columns=[f"x{i}" for i in range(18)])
    table["colour"] = rng.choice(["red", "green", "blue"], len(x))
    table["y"] = (x[:, 0] + rng.normal(size=len(x))).round(4)
    table.to_csv("big.csv", index=False)
    argv = ["dataset=csv", "dataset.path=big.csv", "dataset.target=y", "seeds=1", "epochs=1", "batch_size=1024"]
    done = run(tmp_path, *argv, "tracking.enabled=false")
    assert done.status == 0, done.err
    # Of the largest child that this process has waited for, in kilobytes.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4e6


@pytest.mark.slow
def test_classes_of_a_file_keep_their_names(tmp_path):
    content = columns_of().to_csv(index=False)
    Path("data.csv").write_text(content)
    argv = ["dataset=csv", "dataset.path=data.csv", "dataset.target=text", "dataset.sep=','", "name=c"]
    done = run(tmp_path, *argv, "seeds=1", "epochs=2", "tracking.enabled=false")
    assert done.status == 0, done.err
    (cell,) = Path("multirun/c").glob("*/cell.json")
    assert json.loads(cell.read_text())["settings"]["dataset"]["file"]["labels"] == ["blue", "green", "red"]


def test_a_broken_file_ends_the_command_before_anything_trains(tmp_path):
    Path("data.csv").write_text(changed(20, 6, "4,?,5"))
    done = run(tmp_path, "dataset=csv", "dataset.path=data.csv", "dataset.target=y")
    assert done.status == 2
    assert done.err.startswith("error: data.csv, line 6: column 'b' has numbers but for '?'.\n  hint: ")
    assert not Path("multirun").exists()


def test_cells_of_equally_named_files_are_named_by_their_folders():
    for folder, content in (("a/s", GOOD), ("b/s", rows(30))):
        Path(folder).mkdir(parents=True)
        Path(folder, "data.csv").write_text(content)
    made = plan("dataset.path=a/s/data.csv,b/s/data.csv", "dataset.target=y", "loss=mse")
    assert [cell.data for cell in made.cells] == [
        "data.csv/dataset.path=a-s-data.csv",
        "data.csv/dataset.path=b-s-data.csv",
    ]


def test_columns_and_files_may_have_any_name(tmp_path):
    home = tmp_path / "it's a;b ü"
    home.mkdir()
    lines = [f"{i % 7},5;{i};{'ab?'[i % 3]};{2 * i},5" for i in range(60)]
    (home / "häuser (1).csv").write_text("\n".join(["weight;größe;zone=x;price €", *lines]))
    done = run(
        home,
        *("-m", "dataset=csv", "dataset.path=häuser (1).csv", "dataset.target=price €", "dataset.sep=;"),
        *("dataset.decimal=,", "dataset.leave_out=[größe]", "dataset.missing=impute", 'dataset.missing_values=["?"]'),
        *("loss=mse,huber", "seeds=2", "repeat=seeds", "tune=none", "epochs=2", "trainer=fit", "name=odd"),
    )
    assert done.status == 0, done.err
    assert "häuser (1).csv: test rmse" in done.out
    assert "price €: numbers (regression)" in " ".join(done.out.split())


def test_the_reason_for_a_loss_left_out_by_scaling_names_the_remedy():
    left_out = planned(rows(30), "dataset.target=b", "loss=all").skipped
    reasons = {name.partition("/")[2]: reason for name, reason in left_out}
    assert reasons["poisson"].endswith("without scaling they are: dataset.standardize.y=none")


@pytest.mark.parametrize(
    ("column", "argv", "said", "hint"),
    [
        (["2020-01-02", "2021-03-04"], [], "the target 't' has dates ('2020-01-02')", "make numbers of them"),
        ([str(i / 7) for i in range(20)], ["dataset.task=binary"], "needs two classes", "dataset.task=regression"),
    ],
)
def test_the_error_of_an_unusable_target_names_the_remedy(column, argv, said, hint):
    lines = [f'{i},"{column[i % len(column)]}"' for i in range(40)]
    with pytest.raises(UsageError) as error:
        planned("\n".join(["a,t", *lines]), "dataset.target=t", *argv)
    assert said in str(error.value)
    assert hint in str(error.value)


def test_classes_may_be_digits_as_text():
    table = pd.DataFrame({"a": range(40), "t": [str(i % 3) for i in range(40)]})
    table.to_parquet("data.parquet")
    assert plan("dataset.path=data.parquet", "dataset.target=t").cells[0].task == "multiclass"


def test_the_error_of_split_shares_above_1_names_possible_ones():
    with pytest.raises(UsageError, match=r"shares of all samples, 1 in sum: dataset.split.train=0.5"):
        planned(rows(40), "dataset.target=y", "repeat=seeds", "dataset.split.validation=0.1")
