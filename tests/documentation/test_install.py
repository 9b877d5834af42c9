"""What `make install` does: quietly, by the lock with its hashes, with uv where it is."""

import re
import subprocess
from pathlib import Path

import pytest


def commands(tmp_path: Path, *words: str) -> str:
    """Return what make would run to set up a new environment; nothing is run."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).symlink_to(Path(name).absolute())
    make = ["make", "-n", "install", *words]
    return subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("uv", "tools"),
    [pytest.param("", ["pip"], id="pip"), pytest.param("/opt/uv", ["uv", "pip"], id="uv, and pip where it fails")],
)
def test_everything_is_installed_from_the_lock_with_hashes_and_pip_prints_errors_alone(tmp_path, uv, tools):
    said = commands(tmp_path, f"UV={uv}")
    locked = re.findall(r"(/opt/uv pip|python -m pip) install ([^|;\n]*requirements\.lock)", said)
    assert [tool.split()[0].split("/")[-1].replace("python", "pip") for tool, _ in locked] == tools
    assert all("--require-hashes" in options for _, options in locked)
    assert all(" -qq " in line for line in re.findall(r"-m pip install[^|;\n]*", said))
    assert f"the packages of requirements.lock, with {tools[0]} ..." in said
    assert "lossbench itself ..." in said
