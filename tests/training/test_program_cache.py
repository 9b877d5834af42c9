"""Compiled programs are kept on disk: the next worker loads them, and a damaged one is compiled again."""

import zlib
from pathlib import Path

import pytest
from support.commands import run

from lossbench.training import program_cache

COMMAND = ["-m", "dataset=circles", "epochs=5", "name=x", "tracking.enabled=false", "report.yardsticks=false"]


def programs(home: Path) -> dict[Path, tuple[int, bytes]]:
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in home.glob("multirun/.programs/*/*.pb")}


def table(home: Path) -> bytes:
    return (home / "multirun" / "x" / "results.csv").read_bytes()


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    """A home with the programs of two losses."""
    home = tmp_path_factory.mktemp("programs")
    done = run(home, *COMMAND, "loss=bce,hinge", "seeds=2", TF_XLA_FLAGS="")
    assert done.status == 0, done.err
    return home


def test_a_later_sweep_compiles_nothing_that_was_compiled_before_in_any_order(first, tmp_path):
    there = programs(first)
    # Of each loss one for training and one for predictions.
    assert len(there) == 4
    done = run(first, *COMMAND, "loss=hinge,bce", "seeds=3", "name=y", TF_XLA_FLAGS="")
    assert done.status == 0, done.err
    assert programs(first) == there
    own = f"{program_cache.FLAG}={tmp_path / 'own'}"
    without = run(tmp_path, *COMMAND, "loss=bce,hinge", "seeds=2", TF_XLA_FLAGS=own)
    assert without.status == 0, without.err
    assert not programs(tmp_path)
    assert table(tmp_path) == table(first)
    again = run(first, *COMMAND, "loss=bce,hinge", "seeds=2", "rerun=all", TF_XLA_FLAGS="")
    assert "4 run again" in again.out
    assert table(tmp_path) == table(first)


def test_damaged_programs_are_compiled_again(first):
    before, there = table(first), programs(first)
    damages = (lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"\xff" * 1000)
    for place, path in enumerate(there):
        path.write_bytes(damages[place % 3](path.read_bytes()))
    done = run(first, *COMMAND, "loss=bce,hinge", "seeds=2", "rerun=all", TF_XLA_FLAGS="")
    assert done.status == 0, done.out + done.err
    assert table(first) == before
    assert len(programs(first)) == len(there)
    assert all(zlib.crc32(content) == int(path.name[:8], 16) for path, (_, content) in programs(first).items())


def test_programs_of_a_process_that_died_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    monkeypatch.setenv(program_cache.FLAGS, "")
    program_cache.store().mkdir(parents=True)
    kept = program_cache.store() / f"{zlib.crc32(b'one'):08x}-one.pb"
    kept.write_bytes(b"one")
    first = program_cache.ProgramFolder(tmp_path / "first")
    assert first.environment == {program_cache.FLAGS: f"{program_cache.FLAG}={tmp_path / 'first'}"}
    assert (tmp_path / "first" / "one.pb").read_bytes() == b"one"
    (tmp_path / "first" / "two.pb").write_bytes(b"two")
    first.close(keep=True)
    assert sorted(path.read_bytes() for path in program_cache.store().iterdir()) == [b"one", b"two"]
    program_cache.ProgramFolder(tmp_path / "second").close(keep=False)
    assert not list(program_cache.store().iterdir())


def test_a_folder_that_cannot_be_written_is_no_problem(tmp_path):
    (tmp_path / "multirun").mkdir()
    (tmp_path / "multirun" / ".programs").write_text("a file")
    done = run(tmp_path, *COMMAND, "loss=bce", "seeds=2", TF_XLA_FLAGS="")
    assert done.status == 0, done.out + done.err
