"""The real commands, in processes of their own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lossbench.ground import quiet_tensorflow  # noqa: F401
from lossbench.training import program_cache

BIN = Path(sys.executable).parent
# In the environment, the folder in which commands find what those of other tests have compiled.
PROGRAMS = "TESTS_PROGRAMS"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "LOSSBENCH_", "HYDRA_"))}
    programs = {program_cache.FLAGS: f"{program_cache.FLAG}={os.environ[PROGRAMS]}"}
    return {**kept, **programs, "LOSSBENCH_HOME": str(home), "COLUMNS": "80", **more}


def run(home: Path, *arguments: str, command: str = "lossbench", **more: str) -> Done:
    """Run a command as a user does, and return how it ended."""
    done = subprocess.run(
        [str(BIN / command), *arguments],
        env=environment(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
