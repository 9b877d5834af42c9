"""Compiled programs are kept on disk: the next worker loads them, and a damaged one is compiled again."""

import os
import zlib
from pathlib import Path

import pytest
from support.commands import run

from lossbench.training import program_cache, xla_flags

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
    # Of each loss one for training and one for predictions, and the one that makes XLA read its flags.
    assert len(there) == 5
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


def test_all_programs_of_a_sweep_are_compiled_with_our_flags_and_the_users(tmp_path):
    dump = tmp_path / "dump"
    run_of = ("loss=bce", "seeds=1", "epochs=1")
    done = run(tmp_path, *COMMAND, *run_of, TF_XLA_FLAGS="", XLA_FLAGS=f"--xla_dump_to={dump}")
    assert done.status == 0, done.out + done.err
    options = [path.read_text() for path in dump.glob("*.debug_options")]
    # One makes XLA read its flags; one trains, one predicts.
    assert len(options) == 3
    for text in options:
        assert "xla_cpu_prefer_vector_width: 512" in text
        assert "xla_cpu_use_fusion_emitters: false" in text
        assert "xla_cpu_enable_concurrency_optimized_scheduler: false" in text
    # Programs that were compiled with other flags are others.
    run(tmp_path, *COMMAND, *run_of, "rerun=all", TF_XLA_FLAGS="", XLA_FLAGS="--xla_cpu_prefer_vector_width=128")
    assert len(list(tmp_path.glob("multirun/.programs/*"))) == 2


def test_the_users_flags_come_last_and_a_file_of_flags_stands_alone(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    ours = xla_flags.all_flags()
    with xla_flags.flags_set():
        assert os.environ["XLA_FLAGS"] == ours
    assert "XLA_FLAGS" not in os.environ
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_prefer_vector_width=128")
    assert xla_flags.all_flags() == f"{ours} --xla_cpu_prefer_vector_width=128"
    with xla_flags.flags_set():
        pass
    assert os.environ["XLA_FLAGS"] == "--xla_cpu_prefer_vector_width=128"
    monkeypatch.setenv("XLA_FLAGS", "flags.txt")
    assert xla_flags.all_flags() == "flags.txt"
