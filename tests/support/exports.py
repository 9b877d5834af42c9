"""Files to train on, and a Python without lossbench."""

import csv
import os
import subprocess
import sys

import numpy as np

from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan


def plain_python(script, folder, *arguments: str, **more: str) -> str:
    """Run a script where this package cannot be imported, and return what it prints."""
    hidden = (
        "import sys; sys.modules['lossbench'] = None; del sys.argv[0]; "
        "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", hidden, str(script), *arguments],
        cwd=folder,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **more},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()[-1]


def cell_of(*argv):
    return make_plan(read_overrides(list(argv), multirun=False), "").cells[0]


HOUSE = 240


def house(path):
    """Write a table of houses: numbers, a text, an identifier, some cells missing."""
    rng = np.random.default_rng(0)
    area, rooms = rng.normal(100, 20, HOUSE).round(1), rng.integers(1, 7, HOUSE)
    town = rng.choice(["east", "north", "west"], HOUSE)
    price = 1000 * area + 5000 * rooms + np.where(town == "east", 20000, 0) + rng.normal(0, 5000, HOUSE)
    with open(path, "w") as file:
        writer = csv.writer(file)
        writer.writerow(["Id", "area", "rooms", "town", "price"])
        for i in range(HOUSE):
            cells = [i, area[i] if i % 40 else "", rooms[i], town[i] if i % 50 != 7 else "", price[i].round()]
            writer.writerow(cells)
