"""Random sequences of what users and machines do to sweeps, checked against a small model of what is on disk."""

import os
import re
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from support.faults import amount
from support.invariants import check, check_nothing_is_left
from support.mlflow_store import mlflow_runs
from support.places import Place
from support.servers import free_port

from lossbench.planning.plan import read_plan
from lossbench.results.part_files import part_path, read_run

COMMAND = ["-m", "dataset=circles", "loss=hinge", "epochs=2", "report.yardsticks=false"]
# Tests, each with sequences of its own, and how many; a step is a command or a damage.
N_TESTS, N_SEQUENCES, N_STEPS = 4, amount(5, 125), amount(3, 6)
MOST_SEEDS = 4
# The tenths of a second after which a sweep is killed: most of them train within this time.
MOMENTS = strategies.integers(1, 60)
# What a process says at its end if another one writes the results.
LEFT_TO_THE_OTHER = "is finishing"
# A run, by its learning rate and seed.
Run = tuple[str, int]


@dataclass
class Ledger:
    """What must be on disk of a sweep.

    Attributes
    ----------
    rate, n_seeds : str, int
        The settings of its last start.
    runs : dict
        The modification time of each run's record.
    is_planned : bool
        Whether it surely has a plan.
    was_killed : bool
        Whether it was killed at its last start.
    """

    rate: str = "0.1"
    n_seeds: int = 1
    runs: dict[Run, int] = field(default_factory=dict)
    is_planned: bool = False
    was_killed: bool = False

    @property
    def wanted(self) -> set[Run]:
        return {(self.rate, seed) for seed in range(self.n_seeds)}


class Machine(RuleBasedStateMachine):
    """Two sweeps in one place, and what users and machines do to them."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Place(Path(tempfile.mkdtemp(prefix="lossbench-sequence-")))
        self.ledgers = {"one": Ledger(), "two": Ledger()}
        # The final values of each run that was ever trained: the same whenever it is trained again.
        self.scores: dict[Run, dict[str, float]] = {}
        self.away = f"http://127.0.0.1:{free_port()}"

    def teardown(self) -> None:
        try:
            for name, ledger in self.ledgers.items():
                if ledger.is_planned or ledger.runs:
                    self._finish(name)
                    check(self.place, name, killed=self._killed)
        finally:
            self.place.end_all()
            shutil.rmtree(self.place.folder)

    # ---- What is done.

    @initialize(seconds=strategies.none() | MOMENTS)
    def begin(self, seconds: int | None) -> None:
        self._start("one", seconds)

    @rule(
        name=strategies.sampled_from(["one", "one", "two"]),
        seconds=strategies.none() | MOMENTS,
        change=strategies.sampled_from(["nothing", "more seeds", "another rate", "no server"]),
    )
    def start(self, name: str, seconds: int | None, change: str) -> None:
        ledger = self.ledgers[name]
        if change == "more seeds":
            ledger.n_seeds = min(ledger.n_seeds + 1, MOST_SEEDS)
        elif change == "another rate":
            ledger.rate = {"0.1": "0.05", "0.05": "0.1"}[ledger.rate]
        self._start(name, seconds, **({"MLFLOW_TRACKING_URI": self.away} if change == "no server" else {}))

    @rule(seconds=strategies.none() | MOMENTS, is_first=strategies.booleans())
    def start_twice(self, seconds: int | None, is_first: bool) -> None:
        """Start a sweep from two terminals at once, and kill one of them."""
        ledger, words = self.ledgers["one"], self._words("one")
        both = [self.place.start(*words), self.place.start(*words)]
        if seconds is not None:
            time.sleep(seconds / 10)
            killed = both.pop(0 if is_first else 1)
            os.killpg(killed.pid, signal.SIGKILL)
            killed.communicate(timeout=60)
        said = [process.communicate(timeout=300)[0] for process in both]
        assert {process.returncode for process in both} == {0}, said
        # The other one may have ended just before the killed one did, so that nobody could remove what that one left.
        ledger.is_planned, ledger.was_killed = True, seconds is not None
        self._note("one", may_lack=False)
        if seconds is not None and LEFT_TO_THE_OTHER in said[0]:
            # It had nothing more to train, and the one that was killed then was to write the rest: the next start does.
            return
        self._check_tracked("one")
        check(self.place, "one", killed=self._killed)

    # How far a killed sweep had come is chance, so no rule has a precondition: one without an object does nothing.

    @rule()
    def report(self) -> None:
        if not self.ledgers["one"].is_planned:
            return
        done = self.place.run("one", command="lossbench-report")
        assert (done.status, done.err) == (0, "")

    @rule(is_away=strategies.booleans())
    def sync(self, is_away: bool) -> None:
        if not self.ledgers["one"].is_planned:
            return
        more = {"MLFLOW_TRACKING_URI": self.away} if is_away else {}
        done = self.place.run("one", command="lossbench-sync", **more)
        assert done.status == (3 if is_away else 0), done.out
        if not is_away:
            self._check_tracked("one")

    @rule()
    def lose_a_record(self) -> None:
        ledger = self.ledgers["one"]
        if not ledger.runs:
            return
        run = min(ledger.runs)
        (path,) = (path for path, each in self._records("one").items() if each == run)
        path.unlink()
        del ledger.runs[run]

    @rule()
    def lose_the_store(self) -> None:
        self._wait_for_the_end()
        if (self.place.work / "mlruns").exists():
            shutil.rmtree(self.place.work / "mlruns")

    # ---- What must follow.

    def _start(self, name: str, tenths: int | None, **more: str) -> None:
        ledger = self.ledgers[name]
        process = self.place.start(*self._words(name), **more)
        if tenths is not None:
            time.sleep(tenths / 10)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                said = process.communicate(timeout=60)[0]
                self._note(name, may_lack=True)
                ledger.was_killed = True
                return
        said = process.communicate(timeout=300)[0]
        assert process.returncode == 0, said
        there = len(ledger.wanted & set(ledger.runs))
        assert re.match(rf"{name}: 1 cell, {ledger.n_seeds} runs?, {there} finished", said), said
        assert ("MLflow could not be written" in said) == bool(more), said
        ledger.is_planned, ledger.was_killed = True, False
        self._note(name, may_lack=False)
        if not more:
            self._check_tracked(name)
            check(self.place, name, killed=self._killed)
        check_nothing_is_left(self.place, self._killed)

    @property
    def _killed(self) -> list[str]:
        return [name for name, ledger in self.ledgers.items() if ledger.was_killed]

    def _words(self, name: str) -> list[str]:
        ledger = self.ledgers[name]
        return [*COMMAND, f"name={name}", f"seeds={ledger.n_seeds}", f"optimizer.learning_rate={ledger.rate}"]

    def _finish(self, name: str) -> None:
        self._start(name, None)

    def _note(self, name: str, *, may_lack: bool) -> None:
        """Compare the records on disk with the ledger, and note the new ones."""
        ledger = self.ledgers[name]
        found = {run: path for path, run in self._records(name).items()}
        assert {run: found[run].stat().st_mtime_ns for run in ledger.runs} == ledger.runs
        new = set(found) - set(ledger.runs)
        assert new <= ledger.wanted
        assert may_lack or ledger.wanted <= set(found)
        ledger.runs |= {run: found[run].stat().st_mtime_ns for run in new}
        for run in new:
            record = read_run(found[run])
            assert record is not None
            assert self.scores.setdefault(run, record.info.scores) == record.info.scores

    def _records(self, name: str) -> dict[Path, Run]:
        found = {}
        for path in self.place.work.glob(f"multirun/{name}/*/parts/seed=*.npz"):
            settings_of = (path.parents[1] / ".hydra" / "config.yaml").read_text(encoding="utf-8")
            (rate,) = re.findall(r"^ +learning_rate: (\S+)$", settings_of, re.MULTILINE)[:1]
            found[path] = (rate, int(path.stem.removeprefix("seed=")))
        return found

    def _check_tracked(self, name: str) -> None:
        """Assert that MLflow has the records of the sweep's plan, each once and ended."""
        plan = read_plan(self.place.sweep(name))
        wanted = [
            run.info.key
            for cell in plan.cells
            for each in plan.runs(cell)
            if (run := read_run(part_path(self.place.sweep(name) / cell.folder, each))) is not None
        ]
        live = [run for run in mlflow_runs(self.place.work) if run["stage"] == "active" and run["sweep"] == name]
        keys = [run["run_key"] for run in live if run["kind"] == "run"]
        assert sorted(key for key in keys if key in wanted) == sorted(wanted)
        assert "RUNNING" not in {run["run_status"] for run in live}

    def _wait_for_the_end(self) -> None:
        """Wait until what a killed sweep had started has ended."""
        deadline = time.monotonic() + 60
        while self.place.processes():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize("seed", range(N_TESTS))
def test_after_any_sequence_the_same_command_ends_well(seed):
    chosen = settings(
        max_examples=N_SEQUENCES,
        stateful_step_count=N_STEPS,
        deadline=None,
        database=None,
        # To shrink a sequence takes as long as hundreds of them; it is printed as it is.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    print(f"seed {seed}")
    run_state_machine_as_test(hypothesis.seed(seed)(type("Machine", (Machine,), {})), settings=chosen)
