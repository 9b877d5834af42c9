"""Completion: its words, its table, its installation, and the shells themselves."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.commands import BIN, environment, run

from lossbench.commands.completion import table as tables
from lossbench.commands.completion.words import split, words_for

CSV = "area,wall,price €\n1,brick,2\n"
SECONDS = 60


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    Path("house.csv").write_text(CSV)
    Path("excel.csv").write_text(CSV.replace(",", ";"))
    Path("conf/dataset").mkdir(parents=True)
    Path("conf/dataset/house.yaml").write_text("defaults: [csv, _self_]\n")
    Path("multirun/tutorial").mkdir(parents=True)
    Path("multirun/tutorial/plan.json").write_text(json.dumps({"cells": [{"name": "circles/hinge/tanh"}]}))
    return tmp_path


def test_the_table_is_that_of_conf_and_the_types():
    assert json.loads(tables.FILE.read_text(encoding="utf-8")) == tables.table(), "make completion"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("lossbench loss=hin", ["loss=hinge"], id="a choice"),
        pytest.param("lossbench -m loss=bce,squared_h", ["loss=bce,squared_hinge"], id="another of a list"),
        pytest.param("lossbench loss=ms", ["loss=mse", "loss=msle"], id="aliases"),
        pytest.param("lossbench dataset=hou", ["dataset=house"], id="of the user's conf"),
        pytest.param("lossbench opt", ["optimizer=", "optimizer."], id="a group and its keys"),
        pytest.param("lossbench optimizer.mom", ["optimizer.momentum="], id="a key of the default choice"),
        pytest.param("lossbench optimizer=adam optimizer.beta", ["optimizer.beta_1=", "optimizer.beta_2="], id="adam"),
        pytest.param("lossbench optimizer=adam optimizer.mom", [], id="a key of another choice"),
        pytest.param("lossbench loss=huber loss.d", ["loss.delta="], id="a loss's parameter"),
        pytest.param("lossbench model.activation=soft", ["model.activation=softplus"], id="a word"),
        pytest.param("lossbench nothing=", [], id="an unknown key"),
        pytest.param("lossbench plan=t", ["plan=true"], id="true"),
        pytest.param("lossbench report.metrics=[f1,matt", ["report.metrics=[f1,matthews"], id="in brackets"),
        pytest.param("lossbench dataset.path=h", ["dataset.path=house.csv"], id="a file"),
        pytest.param("lossbench dataset.path=house.csv dataset.tar", ["dataset.target="], id="a key of files"),
        pytest.param("lossbench dataset.path=house.csv dataset.target=p", ["dataset.target=price €"], id="a column"),
        pytest.param("lossbench dataset.path=excel.csv dataset.target=w", ["dataset.target=wall"], id="semicolons"),
        pytest.param("lossbench dataset.path=none.csv dataset.target=", [], id="no file"),
        pytest.param("lossbench --c", ["--cfg"], id="a flag"),
        pytest.param("lossbench-list lo", ["loss"], id="a group to list"),
        pytest.param("lossbench-list loss hub", ["huber", "huber_loss"], id="a choice to list"),
        pytest.param("lossbench-report tu", ["tutorial"], id="a sweep"),
        pytest.param("lossbench-export ker", ["keras"], id="an export"),
        pytest.param("lossbench-export keras tutorial ci", ["circles/hinge/tanh"], id="a cell"),
        pytest.param("/venv/bin/lossbench-remove ", ["tutorial"], id="by its path"),
    ],
)  # fmt: skip
def test_words(home, line, words):
    assert list(words_for(line)) == words


@pytest.mark.parametrize(
    ("line", "before", "last"),
    [
        ("lossbench 'dataset.target=price", ["lossbench"], "dataset.target=price"),
        ("lossbench a=1 ", ["lossbench", "a=1"], ""),
        ("lossbench a=x\\ y", ["lossbench"], "a=x y"),
        ("", [], ""),
    ],
)
def test_a_line_that_is_not_finished_is_split(line, before, last):
    assert split(line) == (before, last)


def test_finding_words_loads_no_library(home):
    code = (
        "import sys; sys.argv = ['x', 'words', 'bash', 'lossbench dataset.path=house.csv dataset.target=']\n"
        "from lossbench.commands.main import completion_main\n"
        "try:\n    completion_main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'hydra', 'omegaconf', 'yaml', 'numpy', 'pandas',"
        " 'tensorflow', 'keras', 'sklearn', 'mlflow', 'optuna', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "area \nwall \nprice\\ € \n[]\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_is_installed_once_says_where_and_is_taken_away_again(tmp_path, shell):
    start = {"bash": ".bashrc", "zsh": ".zshrc"}.get(shell)
    if start:
        (tmp_path / start).write_text("alias ll='ls -l'\n")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    own = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "ZDOTDIR": "", "SHELL": f"/bin/{shell}"}

    def ask(*arguments: str) -> str:
        done = run(tmp_path, *arguments, command="lossbench-completion", **own)
        assert (done.status, done.err) == (0, "")
        return done.out

    said = ask("install")
    (script,) = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert f"written: {script}\n" in said
    if start:
        assert f"added to {tmp_path / start}: " in said
        assert (tmp_path / start).read_text().startswith("alias ll='ls -l'\nsource ")
        assert f"{tmp_path / start} loads it already" in ask("install")
        assert (tmp_path / start).read_text().count("source ") == 1
    assert f"removed: {script}\n" in ask("remove", shell)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    assert not start or (tmp_path / start).read_text() == "alias ll='ls -l'\n"
    assert ask("remove") == f"there is no completion of lossbench for {shell}\n"


def test_another_shell_is_an_error_that_says_what_to_do(tmp_path):
    done = run(tmp_path, "install", command="lossbench-completion", SHELL="/bin/tcsh")
    assert done.status == 2
    assert done.err == (
        "error: completion is there for bash, zsh, fish; $SHELL is tcsh.\n"
        "  hint: name yours: lossbench-completion install bash\n"
    )


def typed(shell: list[str], home: Path, keys: str, wanted: str, **more: str) -> str:
    """Type into a shell in a terminal of its own until it shows something, and return all that it has shown."""
    env = {
        **environment(home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
        **more,
    }
    ours, its = pty.openpty()
    process = subprocess.Popen(
        shell, stdin=its, stdout=its, stderr=its, env=env, cwd=home, start_new_session=True, close_fds=True
    )
    os.close(its)
    shown = ""
    try:
        os.write(ours, keys.encode())
        deadline = time.monotonic() + SECONDS
        while wanted not in shown:
            assert time.monotonic() < deadline, shown
            if select.select([ours], [], [], 0.1)[0]:
                shown += os.read(ours, 4096).decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("lossbench loss=hin", "loss=hinge "),
        ("lossbench -m loss=bce,squared_h", "loss=bce,squared_hinge "),
        ("lossbench optimizer.mom", "optimizer.momentum="),
        ("lossbench dataset.path=house.csv dataset.target=pr", "dataset.target=price\\ € "),
    ],
)
def test_bash_completes_at_the_tab_key(home, line, completed):
    done = run(home, "install", "bash", command="lossbench-completion", HOME=str(home), XDG_DATA_HOME="")
    assert done.status == 0
    # The word that is completed is echoed with a sign behind it, so that the blank is seen.
    typed(["bash", "-i"], home, f"{line}\t#", f"{completed}#", XDG_DATA_HOME="")


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
@pytest.mark.parametrize(
    ("line", "completed"), [("lossbench loss=hin", "loss=hinge"), ("lossbench plan=t", "plan=true")]
)
def test_zsh_completes_at_the_tab_key(home, line, completed):
    done = run(home, "install", "zsh", command="lossbench-completion", HOME=str(home), XDG_DATA_HOME="", ZDOTDIR="")
    assert done.status == 0
    typed(["zsh", "-i"], home, f"{line}\t", completed, XDG_DATA_HOME="", ZDOTDIR=str(home))


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish_completes_with_meanings(home):
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    assert run(home, "install", "fish", command="lossbench-completion", **own).status == 0
    env = {**environment(home), **own, "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = ["fish", "-c", "complete -C 'lossbench loss=hin'"]
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("loss=hinge\tAsks for a margin")
