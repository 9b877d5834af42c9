"""Odd surroundings: no home, another user, closed streams, a clock that goes back; the results are the same."""

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import BIN, Done, environment, run
from support.invariants import check, records
from support.places import Place
from support.processes import wait_for
from support.users import AS_USER, give, take_rights

SMALL = ["-m", "dataset=circles", "loss=bce,hinge", "seeds=2", "epochs=2", "report.yardsticks=false", "name=small"]
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("no libfaketime: apt-get install faketime"))


def through(place: Place, *shell: str) -> Done:
    """Run a command with its arguments as a user does, in another program that changes its surroundings."""
    first, *rest = shell
    return run(place.work, *rest, command=first, **place.environment)


def in_bash(place: Place, before: str, streams: str = "") -> Done:
    words = " ".join(SMALL)
    return through(place, "/bin/bash", "-c", f"{before} '{BIN / 'lossbench'}' {words} {streams}")


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> Path:
    """The table of results in the usual surroundings."""
    place = Place(tmp_path_factory.mktemp("usual"))
    assert place.run(*SMALL).status == 0
    return place.sweep("small") / "results.csv"


@pytest.mark.parametrize(
    ("before", "streams"),
    [
        pytest.param("env -u HOME", "", id="no-home"),
        pytest.param("env LC_ALL=tr_TR.UTF-8 TZ=Asia/Kathmandu", "", id="language-and-time-zone"),
        pytest.param("setsid --wait", "<&- >&- 2>&-", id="no-terminal-and-no-streams"),
        pytest.param("umask 077;", "", id="files-for-the-user-only"),
    ],
)
def test_odd_surroundings_change_no_result(tmp_path, usual, before, streams):
    place = Place(tmp_path)
    done = in_bash(place, before, streams)
    assert (done.status, done.err) == (0, ""), done.out
    assert streams or "browse them in MLflow" in done.out
    check(place, "small", whole=usual)
    if "umask" in before:
        # MLflow copies our own serving.py with its mode.
        files = [path for path in place.work.rglob("*") if path.name != "serving.py"]
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in files}
        assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_files_can_be_read_by_others_unless_the_user_says_otherwise(tmp_path):
    (tmp_path / "conf").mkdir()
    words = "-c", "umask 022; exec python -c 'from pathlib import Path; from lossbench.ground.files import write_text; "
    words = (words[0], words[1] + f'write_text(Path("{tmp_path}/a"), "")\'')
    run(tmp_path, *words, command="/bin/bash", PATH=f"{BIN}:{os.environ['PATH']}")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


# ---- Another user, and what may not be written.


@pytest.fixture
def of_the_user() -> Iterator[Place]:
    """A place of another user, in a folder that everybody may enter: pytest's own may be entered by root only."""
    folder = Path(tempfile.mkdtemp(prefix="lossbench-user-"))
    folder.chmod(0o755)
    place = Place(folder)
    give(folder)
    yield place
    place.end_all()
    shutil.rmtree(folder)


def as_user(place: Place, *words: str, command: str = "lossbench", **more: str) -> Done:
    # Programs that other tests have compiled lie where this user may not write.
    given = place.environment | {"TF_XLA_FLAGS": "", **more}
    return run(place.work, *AS_USER[1:], str(BIN / command), *words, command=AS_USER[0], **given)


@pytest.mark.parametrize(
    "more",
    [pytest.param({}, id="home", marks=pytest.mark.slow), pytest.param({"HOME": "/nonexistent"}, id="no-home")],
)
def test_another_user_without_a_name_gets_the_same_results(of_the_user, usual, more):
    done = as_user(of_the_user, *SMALL, **more)
    assert (done.status, done.err) == (0, ""), done.out
    check(of_the_user, "small", whole=usual)


@pytest.mark.parametrize(
    ("read_only", "command", "said"),
    [
        pytest.param(".", ["lossbench", *SMALL], "multirun/small cannot be written: Permission denied", id="home"),
        pytest.param("multirun/small", ["lossbench", *SMALL], "cannot be written: Permission denied", id="sweep"),
        pytest.param("multirun/small", ["lossbench-report", "small"], "cannot be written: Permission", id="report"),
        pytest.param("multirun/small", ["lossbench-remove", "small", "--yes"], "cannot be written", id="remove"),
        pytest.param(".", ["lossbench-export", "keras", "small", "circles/hinge"], "cannot be written", id="export"),
    ],
)
def test_a_read_only_folder_is_one_line_with_a_way_out(of_the_user, usual, read_only, command, said):
    shutil.copytree(usual.parent, of_the_user.sweep("small"))
    (of_the_user.sweep("small") / "report.json").unlink()
    if read_only == "." and command[0] == "lossbench":
        shutil.rmtree(of_the_user.work / "multirun")
    give(of_the_user.folder)
    take_rights(of_the_user.work / read_only)
    name, *words = command
    done = as_user(of_the_user, *words, command=name)
    assert done.status == 3
    assert len(done.err.splitlines()) == 2, done.err
    assert said in done.err
    assert "  hint: " in done.err


@pytest.mark.parametrize("read_only", ["mlruns", pytest.param("mlruns/mlflow.db", marks=pytest.mark.slow)])
def test_a_read_only_store_holds_up_nothing_and_sync_sends_later(of_the_user, read_only):
    place = of_the_user
    (place.work / "mlruns").mkdir()
    give(place.folder)
    if read_only.endswith(".db"):
        words = ["dataset=circles", "loss=hinge", "seeds=1", "epochs=1", "report.yardsticks=false", "name=before"]
        assert as_user(place, *words).status == 0
    take_rights(place.work / read_only)
    done = as_user(place, *SMALL)
    assert (done.status, done.err) == (0, ""), done.out
    assert "MLflow could not be written: " in done.out
    assert "Traceback" not in done.out
    (place.work / read_only).chmod(0o755)
    synced = as_user(place, "small", command="lossbench-sync")
    assert synced.status == 0, synced.out


# ---- The clock.


def test_the_clock_may_go_back_an_hour(tmp_path, usual):
    assert FAKETIME.exists(), FAKETIME
    place = Place(tmp_path)
    clock = tmp_path / "clock"
    clock.write_text("+0\n", encoding="utf-8")
    more = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        # As on a real machine: what has passed is not turned back.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    words = [*SMALL, "seeds=40", "epochs=300"]
    process = place.start(*words, **more)
    wait_for(lambda: records(place))
    clock.write_text("-3600\n", encoding="utf-8")
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 0, out
    assert "MLflow could not be written" not in out
    check(place, "small")
    again = place.run(*words)
    assert "80 finished; nothing to run" in again.out
    times = subprocess.run(
        [BIN / "python", "-c", "import time; print(time.time())"],
        env=environment(place.work, **more),
        capture_output=True,
        text=True,
        check=True,
    )
    assert time.time() - float(times.stdout) > 3500
