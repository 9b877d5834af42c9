"""A run that the documents quote: its figures and what it printed, in measured.json; its tables, in README.md here.

tests/documentation/test_numbers.py holds every quoted figure to measured.json and says which ones have to be edited.
"""

import json
import re
from pathlib import Path
from typing import Any

import table

HERE = Path(__file__).resolve().parent
ALL_PARTS = ("a", "b", "c", "d", "e")
# In README.md, the block that is replaced: the first one that begins with a date.
PRINTED = re.compile(r"(?<=```text\n)\d{4}-\d\d-\d\d, .*?\n(?=```)", re.DOTALL)


class PartialRunError(Exception):
    """A run that lacks a part that the documents quote."""


def record(results: dict[str, Any], text: str, command: str, folder: Path = HERE) -> None:
    """Write what a whole run measured; of a partial run nothing is written."""
    lacking = [part for part in ALL_PARTS if table.measured(results, part) is None]
    if lacking:
        raise PartialRunError(f"nothing is recorded: the run lacks part {', '.join(lacking)}.")
    content = {"command": command, "figures": figures(results), "printed": text.splitlines()}
    (folder / "measured.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    readme = folder / "README.md"
    readme.write_text(PRINTED.sub(lambda _: f"{text}\n", readme.read_text(), count=1))


def figures(results: dict[str, Any]) -> dict[str, float]:
    """Return the figures that the documents quote, not rounded; a name ends in its unit."""
    a, b, c, d, e = (results[part] for part in ALL_PARTS)
    milliseconds = table.total(d, "cpu_milliseconds")
    return {
        "job_by_job_seconds": a["included"],
        "job_by_job_seconds_per_run": a["apart"] / table.N_RUNS,
        "careful_loop_seconds": b["included"],
        "careful_loop_seconds_per_run": b["apart"] / table.N_RUNS,
        "lossbench_seconds": c["included"],
        "lossbench_seconds_per_run": c["apart"] / table.N_RUNS,
        "one_more_seed_cpu_milliseconds": 1e3 * c["one_more_seed_cpu"],
        "training_milliseconds": milliseconds["ours"] / len(d["cells"]),
        "training_ratio_to_c": milliseconds["ours"] / milliseconds["c"],
        "study_trainings": e["n_trainings"],
        "keras_tuner_cpu_ratio": e["keras_tuner"]["cpu_seconds"] / e["ours"]["cpu_seconds"],
    }
