"""Any terminal: of another encoding, narrow, or closed in the middle. Files are UTF-8 in every case."""

import ast
import os
import pty
import subprocess
import unicodedata
from pathlib import Path

import pytest
from support.commands import BIN, environment, run
from support.sweeps import Sweep

from lossbench.console.streams import PLAIN
from lossbench.datasets.user_file.cells import CURRENCIES

SOURCE = Path("src/lossbench")
COMMANDS = ("lossbench", "lossbench-list", "lossbench-report", "lossbench-sync", "lossbench-export", "lossbench-ui")
# Signs that only the report's page has: marks of figures.
OF_THE_PAGE = set("●■▲◆▼✚✖★")
# Modules whose JSON is ASCII, which json.dumps writes, whatever the system's encoding.
ASCII_JSON = {"launch.py", "study_files.py", "tracker.py"}
ABSENT = {"PYTHONUTF8": "0", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
ENCODINGS = [
    pytest.param(ABSENT, "ascii", id="language-that-is-not-installed"),
    pytest.param({"PYTHONIOENCODING": "ascii"}, "ascii", id="ascii"),
    pytest.param({"PYTHONIOENCODING": "latin-1"}, "latin-1", id="latin-1", marks=pytest.mark.slow),
]


def texts(tree: ast.AST) -> list[str]:
    """Return the string literals of a module that are no docstrings."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [node.body[0].value for node in ast.walk(tree) if isinstance(node, owners) and ast.get_docstring(node)]
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node.value for node in found if not any(node is doc for doc in docs)]


def output(home: Path, *words: str, command: str, **more: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [str(BIN / command), *words], env=environment(home, **more), cwd=home, capture_output=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


def test_every_sign_of_ours_has_a_plain_form():
    signs = {
        sign
        for path in SOURCE.rglob("*.py")
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
        for sign in text
        if not sign.isascii()
    }
    assert {"±", "†", "…"} <= signs
    # Signs of currencies are read in users' cells; they are printed in users' texts only, which are escaped.
    missing = {sign: unicodedata.name(sign) for sign in signs - set(PLAIN) - OF_THE_PAGE - set(CURRENCIES)}
    assert not missing
    assert all(form.isascii() for form in PLAIN.values())


def test_every_file_is_opened_with_an_encoding_or_as_bytes():
    found = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or path.name in ASCII_JSON:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if getattr(getattr(node.func, "value", None), "id", "") == "archive":
                # A member of an archive is bytes.
                continue
            words = [*node.args, *(keyword.value for keyword in node.keywords)]
            modes = {word.value for word in words if isinstance(word, ast.Constant)}
            ours = name == "write_text" and isinstance(node.func, ast.Name)
            text = name in ("read_text", "write_text") or (name == "open" and not modes & {"rb", "wb"})
            given = any(keyword.arg == "encoding" for keyword in node.keywords)
            owner = getattr(node.func, "value", None)
            other = getattr(owner, "id", getattr(owner, "attr", "")) in ("os", "webbrowser", "_opener", "Image")
            if text and not given and not ours and not other:
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize(("more", "encoding"), ENCODINGS)
def test_a_sweep_is_printed_in_the_encoding_of_its_terminal(tmp_path, more, encoding):
    data = tmp_path / "größe.csv"
    rows = (f"{i % 7},{i % 5},{i % 7 + 2 * (i % 5)}\n" for i in range(60))
    data.write_text("breite,länge,größe\n" + "".join(rows), encoding="utf-8")
    words = ("dataset.path=größe.csv", "dataset.target=größe", "seeds=2", "epochs=2", "name=wide")
    status, out, err = output(tmp_path, *words, "tracking.enabled=false", command="lossbench", **more)
    said = out.decode(encoding)
    assert (status, err) == (0, b"")
    assert ("gr\\xf6\\xdfe.csv" if encoding == "ascii" else "größe.csv") in said
    assert (" +-" if encoding == "ascii" else " ± ") in said
    summary = (tmp_path / "multirun" / "wide" / "report.md").read_text(encoding="utf-8")
    assert "±" in summary
    assert "größe.csv" in summary


def test_columns_stay_aligned_without_the_sign(smoke: Sweep):
    done = run(smoke.home, "experiment=smoke", PYTHONIOENCODING="ascii")
    lines = done.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("loss   ") and "accuracy" in line)
    assert len(lines[start + 1]) == len(lines[start]) == len(lines[start + 2])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_printed_in_ascii(tmp_path, command):
    status, out, err = output(tmp_path, "--help", command=command, **ABSENT)
    assert (status, err) == (0, b"")
    assert out.isascii()
    assert b"lossbench" in out


def test_streams_are_apart(smoke: Sweep):
    """The error goes to stderr in ASCII; the file that stdout is sent to has the same encoding, and both are whole."""
    status, out, err = output(smoke.home, "loss=größe", command="lossbench", PYTHONIOENCODING="ascii")
    assert (status, out) == (2, b"")
    assert b"unknown loss 'gr\\xf6\\xdfe'" in err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("lossbench", "experiment=smoke", id="sweep"),
        pytest.param("lossbench", "--help", id="help"),
        pytest.param("lossbench", "--cfg job", id="cfg"),
        pytest.param("lossbench-list", "", id="list"),
        pytest.param("lossbench-report", "smoke", id="report"),
    ],
)
@pytest.mark.parametrize("closing", ["| head -1", "| true", ">&-", ">&- 2>&-"])
def test_a_closed_output_is_no_error(smoke: Sweep, command, words, closing):
    shell = f"set -o pipefail; '{BIN / command}' {words} {closing}"
    done = subprocess.run(
        ["bash", "-c", shell], env=environment(smoke.home), cwd=smoke.home, capture_output=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_sweep_goes_on_when_the_reader_of_its_output_has_ended(tmp_path):
    words = "-m dataset=circles loss=bce,hinge seeds=3 epochs=3 tracking.enabled=false name=cut"
    done = subprocess.run(
        ["bash", "-c", f"'{BIN / 'lossbench'}' {words} | head -1"],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        timeout=300,
    )
    assert done.stderr == b""
    assert len(list((tmp_path / "multirun" / "cut").glob("*/parts/seed=*.npz"))) == 6
    assert (tmp_path / "multirun" / "cut" / "report.html").exists()


def test_a_full_disk_behind_the_output_is_one_line(smoke: Sweep):
    with open("/dev/full", "wb") as full:
        command = [str(BIN / "lossbench"), "experiment=smoke"]
        done = subprocess.run(command, env=environment(smoke.home), stdout=full, stderr=subprocess.PIPE, timeout=300)
    said = "warning: the output cannot be written: No space left on device; the sweep goes on.\n"
    assert (done.returncode, done.stderr.decode()) == (0, said)


@pytest.mark.parametrize("columns", [pytest.param("1", marks=pytest.mark.slow), "20"])
def test_a_narrow_terminal_is_no_error(tmp_path, columns):
    ours, theirs = pty.openpty()
    words = ["dataset=circles", "loss=bce", "seeds=2", "epochs=2", "tracking.enabled=false"]
    more = {"TERM": "xterm", "COLUMNS": columns}
    process = subprocess.Popen(
        [str(BIN / "lossbench"), *words], env=environment(tmp_path, **more), cwd=tmp_path, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:
        # The terminal is gone: the process has ended.
        pass
    os.close(ours)
    assert process.wait(300) == 0
    assert b"Traceback" not in said
    assert b"report.html" in said
