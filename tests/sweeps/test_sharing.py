"""One sweep that several processes are started on: they share its cells, and the results are those of one."""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.commands import environment, run
from support.invariants import check, records
from support.places import Place
from support.processes import wait_for
from support.sweeps import Sweep

from lossbench.ground.leases import FOLDER, SECONDS

RATES = ["0.2", "0.1", "0.05", "0.02", "0.01"]
COMMAND = [
    "-m",
    "dataset=circles",
    "loss=hinge",
    f"optimizer.learning_rate={','.join(RATES)}",
    "epochs=150",
    "seeds=30",
]
COMMAND += ["report.yardsticks=false", "name=shared"]
N_RUNS = 150
# After this time a process that stands still has lost what it had begun.
SOON = {SECONDS: "3"}
THROWN_AWAY = "another process has recorded it"


@dataclass
class Two:
    """Two processes on one sweep, of which the first one prepared it and writes it."""

    place: Place
    first: subprocess.Popen
    second: subprocess.Popen

    def trains(self, process: subprocess.Popen) -> bool:
        """Return whether a process has begun a cell."""
        return any(
            f'"process": {process.pid},' in text and name.startswith("circles") for name, text in self.leases().items()
        )

    def leases(self) -> dict[str, str]:
        found = {}
        for path in (self.place.sweep("shared") / FOLDER).glob("*"):
            try:
                found[path.name] = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
        return found


@pytest.fixture
def two(tmp_path):
    """Two processes on one sweep, both of which train."""
    place = Place(tmp_path)
    first = place.start(*COMMAND, **SOON)
    found = Two(place, first, first)
    wait_for(lambda: any('"state": "ready"' in text for text in found.leases().values()))
    found.second = place.start(*COMMAND, **SOON)
    wait_for(lambda: found.trains(first) and found.trains(found.second))
    wait_for(lambda: records(place))
    yield found
    place.end_all()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The table of a sweep of one process."""
    place = Place(tmp_path_factory.mktemp("whole"))
    done = place.run(*COMMAND, "tracking.enabled=false")
    assert (done.status, done.err) == (0, "")
    return place.sweep("shared") / "results.csv"


def ended(process: subprocess.Popen) -> tuple[int, str]:
    said = process.communicate(timeout=120)[0]
    assert "Traceback" not in said
    return process.returncode, said


def thrown_away(place: Place) -> int:
    """Return how many runs were trained that another process had recorded."""
    logs = place.sweep("shared").glob("*/lossbench.log")
    return sum(path.read_text(encoding="utf-8").count(THROWN_AWAY) for path in logs)


def of(process: subprocess.Popen) -> str:
    return rf"\S+ \(process {process.pid}, since [\d: -]+\)"


def stop(place: Place, process: subprocess.Popen) -> list[int]:
    """Stop a process and its worker, as Ctrl-Z and a machine that sleeps do, and return them."""
    children = [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    workers = [each for each in children if each in place.processes("jobs.worker.inside")]
    stopped = [process.pid, *workers]
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    return stopped


def test_two_that_start_at_once_share_the_cells_and_train_no_run_twice(tmp_path, whole):
    place = Place(tmp_path)
    both = [place.start(*COMMAND), place.start(*COMMAND)]
    wait_for(lambda: (place.sweep("shared") / "plan.json").exists())
    said = {process: ended(process) for process in both}
    (helper,) = [process for process, (_, out) in said.items() if "done here" in out]
    (writer,) = [process for process in both if process is not helper]
    assert {status for status, _ in said.values()} == {0}
    assert re.search(rf"^shared with {of(writer)}, which writes the results$", said[helper][1], re.MULTILINE)
    assert said[helper][1].splitlines()[-1].startswith("done here; ")
    assert re.search(rf"^done here; {of(writer)} is finishing\.$", said[helper][1], re.MULTILINE)
    # Both show every cell, and one the answer.
    for rate in RATES:
        assert all(f"learning_rate={rate}" in out for _, out in said.values())
    assert "report: " in said[writer][1]
    assert "report: " not in said[helper][1]
    assert thrown_away(place) == 0
    check(place, "shared", whole=whole)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("which", ["first", "second"])
def test_if_one_is_killed_the_other_finishes(two, whole, which, sent):
    place, killed = two.place, getattr(two, which)
    os.killpg(killed.pid, sent)
    status, said = ended(killed)
    assert status == (-signal.SIGKILL if sent == signal.SIGKILL else 130)
    left = two.second if which == "first" else two.first
    if sent != signal.SIGKILL and which == "second":
        assert re.search(rf"^interrupted: \d+ of {N_RUNS} runs are finished; {of(left)} goes on\.$", said, re.MULTILINE)
    status, said = ended(left)
    assert status == 0
    assert ("who wrote the results has ended; this process finishes." in said) == (which == "first")
    assert "report: " in said
    assert thrown_away(place) == 0
    assert list(place.sweep("shared").glob("open-*.json")) == []
    check(place, "shared", whole=whole)


@pytest.mark.parametrize("which", [pytest.param("first", id="writer"), pytest.param("second", marks=pytest.mark.slow)])
def test_one_that_was_stopped_for_too_long_changes_nothing(two, whole, which):
    place, process = two.place, getattr(two, which)
    stopped = stop(place, process)
    other = two.second if which == "first" else two.first
    status, said = ended(other)
    assert (status, "report: " in said) == (0, True)
    there = records(place)
    assert len(there) == N_RUNS
    for each in stopped:
        os.kill(each, signal.SIGCONT)
    status, said = ended(process)
    assert status == 0
    assert "who wrote the results has ended; this process finishes." in said
    assert records(place) == there
    check(place, "shared", whole=whole)


@pytest.mark.slow
def test_of_a_killed_pair_the_same_command_continues(two, whole):
    for process in (two.first, two.second):
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    there = records(two.place)
    # The system did not get to write all of it.
    torn = next(iter(there))
    torn.write_bytes(torn.read_bytes()[:1000])
    del there[torn]
    done = two.place.run(*COMMAND)
    assert (done.status, done.err) == (0, "")
    found = records(two.place)
    assert {path: found[path] for path in there} == there
    check(two.place, "shared", whole=whole)


@pytest.mark.slow
def test_the_processes_of_joblib_share_a_sweep_too(tmp_path, whole):
    place = Place(tmp_path)
    both = [place.start(*COMMAND, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), place.start(*COMMAND)]
    assert {ended(process)[0] for process in both} == {0}
    assert thrown_away(place) == 0
    check(place, "shared", whole=whole)


@pytest.mark.slow
def test_two_share_studies_each_done_by_one(tmp_path):
    words = ["-m", "dataset=circles", "loss=hinge,bce,squared_hinge", "tune=learning_rate", "tune.trials=4"]
    words += ["epochs=20", "seeds=10", "report.yardsticks=false", "name=tuned"]
    alone, shared = Place(tmp_path / "alone"), Place(tmp_path / "shared")
    assert alone.run(*words).status == 0
    assert {ended(process)[0] for process in [shared.start(*words), shared.start(*words)]} == {0}
    check(shared, "tuned", whole=alone.sweep("tuned") / "results.csv")
    trials = [sorted(path.name for path in place.sweep("tuned").glob("*/study/*")) for place in (alone, shared)]
    assert trials[0] == trials[1]
    assert (shared.sweep("tuned") / "studies.log").exists()


@pytest.mark.slow
def test_beside_another_a_different_plan_is_refused_with_its_name(tmp_path):
    place, long = Place(tmp_path), [*COMMAND, "epochs=50000"]
    first = place.start(*long)
    wait_for(lambda: list((place.sweep("shared") / FOLDER).glob("circles*")))
    name = of(first)
    try:
        for more, message in (
            (["rerun=all"], f"rerun=all cannot be while another lossbench is at work on shared: {name}"),
            (["seeds=3"], f"another lossbench is at work on shared, with other seeds: {name}"),
            (["epochs=3"], f"another lossbench is at work on shared, with other cells: {name}"),
            (
                ["hydra/launcher=slurm", "hydra.launcher.cluster=local"],
                f"hydra/launcher=slurm cannot be while another lossbench is at work on shared: {name}",
            ),
        ):
            done = place.run(*long, *more)
            assert done.status == 3, done.out
            assert re.match(rf"error: {message}\.\n  hint: .*Ctrl-C", done.err), done.err
        kept = place.run("shared", "--yes", command="lossbench-remove")
        assert kept.status == 3
        assert re.search(rf"a lossbench is at work on shared in \S+: .*{name}", kept.err)
        listed = place.run("sweeps", command="lossbench-list")
        assert re.search(r"shared .*at work", listed.out)
    finally:
        place.end_all()
        first.communicate()


# lossbench as it would run on another machine: of its processes nothing is known here, and its files say where they are
# from.
FAR = """
from lossbench.ground import machine
machine.machine_id, machine.host_name = lambda: "far away", lambda: "far-away"
from lossbench.commands.main import main
main()
"""


@pytest.mark.slow
def test_of_a_machine_that_has_vanished_the_leases_expire(tmp_path, whole):
    place = Place(tmp_path)
    far = subprocess.Popen(
        [sys.executable, "-c", FAR, *COMMAND],
        env=environment(place.work, **place.environment, **SOON),
        cwd=place.work,
        start_new_session=True,
    )
    found = Two(place, far, far)
    wait_for(lambda: any('"state": "ready"' in text for text in found.leases().values()))
    here = place.start(*COMMAND, **SOON)
    wait_for(lambda: found.trains(far) and found.trains(here))
    os.killpg(far.pid, signal.SIGKILL)
    far.wait(timeout=60)
    (place.sweep("shared") / ".results.csv.far-away.12.abcdefgh").touch()
    status, said = ended(here)
    assert status == 0
    assert f"shared with far-away (process {far.pid}, since " in said
    assert "who wrote the results has ended; this process finishes." in said
    check(place, "shared", whole=whole)


ELSEWHERE = """
import sys, time
from pathlib import Path
from lossbench.ground import leases
leases.machine_id = lambda: "far away"
assert leases.Leases(Path(sys.argv[1])).take("writer", "ready")
time.sleep(60)
"""


@pytest.mark.slow
def test_sync_leaves_a_sweep_to_another_machine_that_writes_it(tmp_path, smoke: Sweep):
    shutil.copytree(smoke.home, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "multirun" / "smoke"
    writer = subprocess.Popen([sys.executable, "-c", ELSEWHERE, str(folder)], env=environment(tmp_path, **SOON))
    wait_for(lambda: list((folder / FOLDER).glob("*")))
    left = run(tmp_path, "smoke", command="lossbench-sync")
    writer.kill()
    writer.wait()
    assert left.status == 3
    assert re.fullmatch(rf"smoke: {of(writer)} is at work on it, and sends it to MLflow", left.out.strip())
    assert run(tmp_path, "smoke", command="lossbench-sync").status == 0
