"""Where results come from: the code's commit, and whether it was changed since."""

import functools
import subprocess


@functools.cache
def commit() -> dict[str, str]:
    """Return ``commit`` and ``dirty`` where the working directory is a git checkout, else nothing."""
    try:
        return {"commit": _git("rev-parse", "HEAD"), "dirty": str(bool(_git("status", "--porcelain"))).lower()}
    except (OSError, subprocess.SubprocessError):
        return {}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
