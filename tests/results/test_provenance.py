"""Where results come from."""

import subprocess

import pytest

from lossbench.results.provenance import commit

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory of its own; what was found of another one is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    commit.cache_clear()
    yield tmp_path
    commit.cache_clear()


def git(*arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], check=True, capture_output=True, text=True).stdout


def test_without_a_checkout_nothing_is_said(folder):
    assert commit() == {}


def test_without_git_nothing_is_said(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    assert commit() == {}


def test_the_commit_and_whether_it_was_changed(folder):
    git("init", "-q")
    # Of a checkout without a commit nothing can be said.
    assert commit() == {}
    commit.cache_clear()
    (folder / "a.txt").write_text("a")
    git("add", ".")
    git("commit", "-qm", "first")
    digits = git("rev-parse", "HEAD").strip()
    assert commit() == {"commit": digits, "dirty": "false"}
    (folder / "a.txt").write_text("b")
    # Looked up once for all cells of a job.
    assert commit()["dirty"] == "false"
    commit.cache_clear()
    assert commit() == {"commit": digits, "dirty": "true"}
