"""Writes the learning rates that a sweep's studies chose as ``conf/tuned/<sweep>.yaml``, for later sweeps."""

from pathlib import Path

import yaml

from lossbench.ground.files import write_text
from lossbench.planning.keys import key_settings
from lossbench.planning.plan import Plan
from lossbench.tuning.study_files import Outcome

# Studies of earlier versions have no folds.
BUDGET = ("trials", "low", "high", "sampler", "folds", "repetitions", "seeds")
HEADER = """\
# lossbench-export tuned {name}
# What the studies of this sweep chose; `tuned={name}` uses it. Found by:
# {command}
"""


def write_preset(plan: Plan, outcomes: dict[str, Outcome]) -> Path:
    """Write the values that a sweep's studies chose, and return the file's path.

    Parameters
    ----------
    outcomes : dict
        The outcomes of the studies by the keys of their cells; cells without a chosen value are omitted.
    """
    values = []
    for cell in plan.cells:
        outcome = outcomes.get(cell.key)
        if outcome is None or not outcome.parameters:
            continue
        swept = {key: value for key, value in cell.swept.items() if not key.startswith("tune")}
        tune = key_settings(cell.settings)["tune"]
        entry = {
            "dataset": cell.dataset,
            "head": cell.head,
            "loss": cell.loss,
            "where": {"optimizer": cell.settings.optimizer.name, **swept},
            "values": outcome.parameters,
            "study": {"metric": outcome.metric, "value": outcome.value, "tolerance": list(outcome.tolerance)}
            | ({"kept": True} if outcome.kept else {}),
            "budget": {name: tune[name] for name in BUDGET if name in tune},
        }
        values.append(entry)
    path = Path("conf").absolute() / "tuned" / f"{plan.name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump({"cells": values}, default_flow_style=None, sort_keys=False, width=120)
    write_text(path, HEADER.format(name=plan.name, command=plan.command) + text)
    return path
