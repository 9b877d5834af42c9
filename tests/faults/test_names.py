"""Names that a shell, a page, a table or a configuration could take for something else, and evil configuration.

What is planted must not come out anywhere: no command is run, no variable of the environment is read, no page gets a
script, and nothing is written outside the output folders.
"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.invariants import check
from support.places import Place
from support.plans import message, plan

NASTY = {
    "blanks": "a  b ",
    "double-quotes": 'say "it"',
    "quotes": "it's",
    "slash": "sl/ash",
    "dots": "..",
    "path": "../../up",
    "emoji": "🚀",
    "300-characters": 300 * "x",
    "leading-dash": "-rf",
    "newline": "new\nline",
    "shell": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "formula": "=cmd|' /C calc'!A0",
    "script": "<script>alert(1)</script>",
    "variable": "${oc.env:PLANTED}",
    "override": "~loss,++x={y:[z]}",
    "percent": "100 %s %(x)s",
    "backslash": "back\\slash",
    "target": "_target_",
}
PLANTED = "a-value-of-the-environment"


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_a_sweep_gets_no_name_that_is_no_plain_folder(tmp_path, monkeypatch, name):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("PLANTED", PLANTED)
    said = message("dataset=circles", "loss=hinge", f"name={name}")
    assert "name must" in said or "is not of the form key=value" in said
    assert PLANTED not in said
    assert list(tmp_path.iterdir()) == []


def write_table(path: Path) -> None:
    """Write a table with the nasty names as columns and classes."""
    chance = np.random.default_rng(0)
    classes = [NASTY[name] for name in ("shell", "script", "formula", "variable", "newline")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*NASTY.values(), "<the> ${target}"])
        for i in range(100):
            values = chance.normal(size=len(NASTY)).round(3)
            writer.writerow([*values, classes[i % len(classes)]])


def files(place: Place) -> list[Path]:
    return [path for path in place.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(
            "=cmd $(touch pwned) <script>alert(1)</script>".replace("/", "\\") + "'\"🚀,.csv", id="all-at-once"
        ),
        pytest.param('-rf ${oc.env:PLANTED}\n%s """; pwned.csv', id="dash-and-newline", marks=pytest.mark.slow),
        pytest.param(f"{240 * 'x'}.csv", id="long", marks=pytest.mark.slow),
    ],
)
def test_a_file_its_columns_and_classes_may_have_any_name(tmp_path, file):
    place = Place(tmp_path)
    write_table(place.work / file)
    words = [
        f"dataset.path={file}",
        "dataset.target=<the> ${target}",
        "loss=cce,kl_divergence",
        "epochs=2",
        "name=names",
    ]
    words += ["repeat=seeds", "seeds=2", "tune=none", "report.yardsticks=false"]
    done = place.run("-m", *words, PLANTED=PLANTED)
    assert (done.status, done.err) == (0, ""), done.out
    check(place, "names")
    reported = place.run("names", command="lossbench-report", PLANTED=PLANTED)
    assert (reported.status, reported.err) == (0, "")
    assert [path for path in files(place) if path.name.startswith("pwned")] == []
    assert [path for path in files(place) if PLANTED.encode() in path.read_bytes()] == []
    page = (place.sweep("names") / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    described = json.loads(next(place.sweep("names").glob("*/cell.json")).read_text(encoding="utf-8"))
    assert PLANTED not in json.dumps(described)
    words = ["keras", "names", f"{file}/categorical_crossentropy/softmax"]
    script = place.run(*words, command="lossbench-export", PLANTED=PLANTED)
    assert (script.status, script.err) == (0, "")
    (written,) = place.work.glob("*.py")
    compile(written.read_text(encoding="utf-8"), written.name, "exec")


# ---- What a terminal would obey.

CONTROLS = {"colour": "\x1b[31m", "title": "\x1b]0;mine\x07", "backspace": "\b", "C1": "\x9b2J", "direction": "\u202e"}


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("where", ["column", "class"])
def test_a_control_character_is_refused_and_does_not_reach_the_terminal(tmp_path, control, where):
    column, label = (f"a{control}", "no") if where == "column" else ("a", f"no{control}")
    rows = "".join(f"{i % 7},{label if i % 2 else 'yes'}\n" for i in range(40))
    data = tmp_path / "table.csv"
    data.write_text(f"{column},y\n{rows}", encoding="utf-8")
    said = message(f"dataset.path={data}", "dataset.target=y")
    assert f"has the control character {ascii(control[0])[1:-1]}." in said
    assert control[0] not in said


def test_signs_of_windows_read_as_latin_1_are_said_to_be_of_another_encoding(tmp_path):
    data = tmp_path / "table.csv"
    data.write_bytes("Preis (€),y\n".encode("cp1252") + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(40)))
    said = message(f"dataset.path={data}", "dataset.target=y", "dataset.encoding=latin-1")
    assert said.endswith("hint: dataset.encoding=cp1252 may be what it is written in.")
    assert plan(f"dataset.path={data}", "dataset.target=y", "dataset.encoding=cp1252").cells


def test_a_class_of_arrays_has_no_control_character(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, x=np.arange(40.0).reshape(20, 2), y=np.array(["no\x1b[31m", "yes"] * 10))
    said = message("dataset=npz", f"dataset.path={path}")
    assert "the class 'no\\x1b[31m' has the control character \\x1b." in said


# ---- Configuration that tries to run code or to read the environment.

EXPERIMENT = "# @package _global_\ndefaults:\n  - override /loss: hinge\n"
TARGET = "{_target_: os.system, command: touch pwned}"
NO_JOBS = "could not run the jobs"
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        pytest.param(
            "loss/evil.yaml", "name: hinge\n_target_: os.system\ncommand: touch pwned\n", "loss=evil", id="loss"
        ),
        pytest.param(
            "loss/yaml.yaml", "name: !!python/object/apply:os.system ['touch pwned']\n", "loss=yaml", id="yaml"
        ),
        pytest.param(
            "experiment/evil.yaml",
            f"{EXPERIMENT}hydra:\n  searchpath: [file:///tmp]\n",
            "experiment=evil",
            id="searchpath",
        ),
        pytest.param("none.yaml", "", "loss=hinge +x._target_=os.system", id="word"),
        pytest.param("none.yaml", "", "loss=hinge optimizer._target_=os.system", id="word-of-a-group"),
        pytest.param("none.yaml", "", "loss=hinge tracking.uri=${oc.env:PLANTED}", id="word-with-a-variable"),
        pytest.param("none.yaml", "", "loss=../../../etc/passwd", id="word-with-a-path"),
    ],
)
def test_a_configuration_that_tries_to_run_code_is_an_error(tmp_path, monkeypatch, path, text, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    monkeypatch.setenv("PLANTED", PLANTED)
    (tmp_path / "conf" / path).parent.mkdir(parents=True)
    (tmp_path / "conf" / path).write_text(text, encoding="utf-8")
    said = message("dataset=circles", *words.split())
    assert said.startswith("error: ")
    assert PLANTED not in said
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "multirun").exists()


@pytest.mark.parametrize(
    ("text", "words", "status", "said"),
    [
        pytest.param(f"hydra:\n  callbacks:\n    evil: {TARGET}\n", [], 3, NO_JOBS, id="callback"),
        pytest.param(f"hydra:\n  launcher: {TARGET}\n", [], 2, "Key 'command' not in", id="launcher", marks=SLOW),
        pytest.param("", ["hydra.launcher._target_=os.system"], 3, NO_JOBS, id="launcher-in-a-word", marks=SLOW),
        pytest.param(
            "hydra:\n  job_logging:\n    handlers:\n      evil: {(): os.system, command: touch pwned}\n",
            [],
            3,
            NO_JOBS,
            id="logging",
            marks=SLOW,
        ),
    ],
)
def test_hydras_own_settings_run_no_command(tmp_path, text, words, status, said):
    place = Place(tmp_path)
    (place.work / "conf" / "experiment").mkdir(parents=True)
    (place.work / "conf" / "experiment" / "evil.yaml").write_text(f"{EXPERIMENT}{text}", encoding="utf-8")
    options = [
        "dataset=circles",
        "seeds=1",
        "epochs=2",
        "name=evil",
        "tracking.enabled=false",
        "report.yardsticks=false",
    ]
    done = place.run("experiment=evil", *options, *words)
    assert done.status == status
    assert said in done.err
    assert [path for path in files(place) if path.name == "pwned"] == []
