"""The git commit of the working directory, recorded with the results that its code produced."""

import functools
import subprocess


@functools.cache
def commit() -> dict[str, str]:
    """Return ``commit`` and ``dirty`` (uncommitted changes, ``true`` or ``false``); empty outside a git checkout."""
    try:
        return {"commit": _git("rev-parse", "HEAD"), "dirty": str(bool(_git("status", "--porcelain"))).lower()}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, encoding="utf-8", timeout=10, check=True)
    return done.stdout.strip()
