"""Leases: which process is at work on what, for processes that have nothing but a folder in common.

A lease is a file that could be made because it was not there. Its holder changes it every few seconds. Who finds it
held looks whether it goes on changing, and counts by its own clock how long it has not: the clocks of two machines are
never compared. After that time the lease has expired, and whoever wants it makes the file of the next number
(``writer.2`` after ``writer.1``), which only one can. A holder that was stopped meanwhile finds that its own number is
no longer the highest.

A lease saves work, and no more: between a look at it and what follows, a process can be stopped for any time.
"""

import json
import math
import os
import select
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.machine import host_name, machine_id, process_start

FOLDER = ".leases"
# In the environment: after how many seconds without a change the leases of this process have expired.
SECONDS = "LOSSBENCH_LEASE_SECONDS"
USUAL_SECONDS = 60.0
# After so many seconds one that says nothing has expired: its process ended between making its file and writing it.
SILENT_SECONDS = 5.0
# So often in this time a lease is changed.
BEATS = 6
# After so many beats without a change its holder may have been stopped.
LATE_BEATS = 2
# The bytes of a lease's file: always as many, so that each change is one write in place, for which no disk is too full.
SIZE = 1024
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease.

    Attributes
    ----------
    host, process : str, int
        Its machine's name and its id there.
    machine, started : str
        What tells whether it can be asked for here, and whether the id is still its own.
    since : str
        When it took its first lease, in its own time.
    seconds : float
        After how many seconds without a change its lease has expired.
    token : str
        What no other lease has.
    state : str
        What it says of itself.
    """

    host: str
    process: int
    machine: str
    started: str
    since: str
    seconds: float
    token: str
    state: str = ""

    def __str__(self) -> str:
        return f"{self.host} (process {self.process}, since {self.since})"

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended: only processes of this machine can be asked for."""
        if not self.is_here:
            return False
        started = process_start(self.process)
        # Its id may be another process's by now.
        return started is None or ("" not in (started, self.started) and started != self.started)

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.machine == machine_id()


@dataclass
class _Held:
    """A lease of this process: its open file and what is written there."""

    path: Path
    file: int
    holder: Holder
    beat: int = 0

    def write(self) -> None:
        """Change the file: the open one, for if another process has taken the lease over, its file is another one."""
        self.beat += 1
        text = json.dumps({**asdict(self.holder), "beat": self.beat})
        os.pwrite(self.file, text.encode().ljust(SIZE), 0)
        # Other machines do not see what this one's system keeps for later.
        os.fsync(self.file)


@dataclass(frozen=True)
class _Sight:
    """What a lease's file had when it was looked at, since when, and whether it was seen to change before."""

    content: bytes
    since: float
    has_changed: bool


@dataclass
class Leases:
    """The leases of a folder, as this process sees them, and those that it holds.

    Attributes
    ----------
    taken, refused : set of str
        The leases that this process has had, and those that another one held when this one wanted them.
    """

    folder: Path
    refused: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    _held: dict[str, _Held] = field(default_factory=dict)
    _seen: dict[Path, _Sight] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _beating: threading.Thread | None = None
    _since: str = ""
    _period: float = USUAL_SECONDS / BEATS

    def take(self, name: str, state: str = "") -> bool:
        """Take a lease unless another process holds it, and return whether it is ours.

        Raises
        ------
        OSError
            If its file cannot be written.
        UsageError
            If the environment's ``LOSSBENCH_LEASE_SECONDS`` is no number above 0.
        """
        is_ours = self.holds(name)
        if not is_ours:
            self.release(name)
            is_ours = self._make(name, state)
        (self.taken if is_ours else self.refused).add(name)
        return is_ours

    def _make(self, name: str, state: str) -> bool:
        numbers = self._numbers(name)
        if numbers and self._look(self._path(name, numbers[-1])) is not None:
            return False
        path, seconds = self._path(name, numbers[-1] + 1 if numbers else 1), _seconds()
        try:
            file = _new(path)
        except FileExistsError:
            return False
        self._period = seconds / BEATS
        self._since = self._since or time.strftime("%Y-%m-%d %H:%M:%S")
        started = process_start(os.getpid()) or ""
        holder = Holder(host_name(), os.getpid(), machine_id(), started, self._since, seconds, uuid.uuid4().hex, state)
        held = _Held(path, file, holder)
        try:
            held.write()
        except OSError:
            os.close(file)
            path.unlink(missing_ok=True)
            raise
        with self._lock:
            self._held[name] = held
        for number in numbers:
            _remove(self._path(name, number))
        self._beat_from_now_on()
        if not self.holds(name):
            self.release(name)
            return False
        return True

    def note(self, name: str, state: str) -> None:
        """Say something of this process in a lease that it holds."""
        with self._lock:
            held = self._held[name]
            held.holder = replace(held.holder, state=state)
            with suppress(OSError):
                held.write()

    def token(self, name: str) -> str:
        """Return the token of a lease of this process."""
        return self._held[name].holder.token

    def holds(self, name: str) -> bool:
        """Return whether this process still holds a lease: nobody has taken it over."""
        held = self._held.get(name)
        return held is not None and is_held(self.folder, name, held.holder.token)

    def release(self, name: str) -> None:
        """Give a lease back, if this process holds it."""
        with self._lock:
            held = self._held.pop(name, None)
            if held is None:
                return
            if is_held(self.folder, name, held.holder.token):
                _remove(held.path)
            os.close(held.file)

    def close(self) -> None:
        """Give all leases back, and remove those of processes that have ended."""
        for name in list(self._held):
            self.release(name)
        for path in self._files():
            if self._look(path) is None:
                _remove(path)
        # Not empty while another process is at work.
        with suppress(OSError):
            (self.folder / FOLDER).rmdir()

    # ---- Those of others.

    def holder(self, name: str) -> Holder | None:
        """Return the other process that holds a lease; None if none does, or its lease has expired."""
        numbers = self._numbers(name)
        found = self._look(self._path(name, numbers[-1])) if numbers else None
        return None if name in self._held and self.holds(name) else found

    def others(self, wanted: Callable[[str], bool] = lambda name: True) -> list[Holder]:
        """Return the other processes that hold leases of wanted names."""
        mine = {(held.holder.machine, held.holder.process) for held in self._held.values()}
        holders = (self._look(path) for path in self._files(wanted))
        found = {(each.machine, each.process): each for each in holders if each is not None}
        return [each for who, each in found.items() if who not in mine]

    def settle(self, wanted: Callable[[str], bool] = lambda name: True) -> None:
        """Wait until it is known of leases of wanted names whether their holders are at work.

        It is known of one that has changed its lease a moment ago, and of a process of this machine at the first look.
        """
        while any(self._is_uncertain(path) for path in self._files(wanted)):
            time.sleep(POLL_SECONDS)

    def _is_uncertain(self, path: Path) -> bool:
        holder = self._look(path)
        if holder is None:
            return False
        sight = self._seen.get(path)
        if sight is None:
            return False
        is_late = time.monotonic() - sight.since > LATE_BEATS * holder.seconds / BEATS
        return is_late or not (sight.has_changed or holder.is_here)

    def _look(self, path: Path) -> Holder | None:
        """Return who holds the lease of a file; None if it has expired, or its holder has ended."""
        try:
            content = path.read_bytes()
        except OSError:
            self._seen.pop(path, None)
            return None
        now, before = time.monotonic(), self._seen.get(path)
        if before is None or before.content != content:
            before = self._seen[path] = _Sight(content, now, before is not None)
        holder = _read(content)
        is_over = holder.has_ended or now - before.since > holder.seconds
        return None if is_over else holder

    # ---- Files.

    def _path(self, name: str, number: int) -> Path:
        return self.folder / FOLDER / f"{name}.{number}"

    def _numbers(self, name: str) -> list[int]:
        return _numbers(self.folder, name)

    def _files(self, wanted: Callable[[str], bool] = lambda name: True) -> list[Path]:
        return [self.folder / FOLDER / each for each in _listed(self.folder) if wanted(each.rpartition(".")[0])]

    # ---- The beat.

    def _beat_from_now_on(self) -> None:
        if self._beating is None:
            self._beating = threading.Thread(target=self._beat, name="leases", daemon=True)
            self._beating.start()

    def _beat(self) -> None:
        while True:
            # Not ``time.sleep``, nor a wait for an event: both ask a clock, and fail at once where a library fakes it.
            select.select([], [], [], self._period)
            with self._lock:
                held = list(self._held.values())
                for each in held:
                    with suppress(OSError):
                        each.write()
            # So that it is known when each lease of others was last changed, whenever somebody asks.
            for path in self._files() if held else []:
                self._look(path)


def leases_of(folder: Path) -> Leases:
    """Return the leases of a folder, the same for all of this process."""
    # One folder may be named in two ways: Hydra takes the ".." out of paths.
    return _known(os.path.abspath(folder))


@cache
def _known(folder: str) -> Leases:
    return Leases(Path(folder))


def is_held(folder: Path, name: str, token: str) -> bool:
    """Return whether a lease is still the one with this token."""
    numbers = _numbers(folder, name)
    try:
        return bool(numbers) and _read((folder / FOLDER / f"{name}.{numbers[-1]}").read_bytes()).token == token
    except OSError:
        return False


def _numbers(folder: Path, name: str) -> list[int]:
    parts = (each.rpartition(".") for each in _listed(folder))
    return sorted(int(number) for stem, _, number in parts if stem == name and number.isdigit())


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder / FOLDER)
    except OSError:
        return []


def _seconds() -> float:
    """Return after how many seconds without a change the leases of this process have expired."""
    text = os.environ.get(SECONDS) or str(USUAL_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise UsageError(
            Problem(f"{SECONDS} must be a number above 0; got {text!r}.", f"unset it for {USUAL_SECONDS:g}.")
        )
    return seconds


def _remove(path: Path) -> None:
    """Remove a lease's file; that of another user may stay, as the next number counts."""
    with suppress(OSError):
        path.unlink()


def _new(path: Path) -> int:
    """Make a lease's file, which must not be there, and its folder, which the last holder of a lease removes."""
    while True:
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)


def _read(content: bytes) -> Holder:
    """Return the holder that a lease's file names; one that nobody knows if it has just been made."""
    try:
        found = json.loads(content)
        found.pop("beat")
        return Holder(**found)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Holder("another machine", 0, "", "", "just now", SILENT_SECONDS, "")
