"""The settings of one network that is trained on arrays: composed, normalised and validated as those of a cell.

The arrays take the place of a user's file, and all rows are for training, as for the network that is kept of a
cross-validated cell.
"""

import functools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lossbench.config.settings import FILE, FOLDS, CellSettings, FileFacts, cell_settings, group_settings, plain
from lossbench.config.settings import sweep_settings as as_sweep_settings
from lossbench.datasets.catalogue import described, scaled_target_range
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.choice import chosen_pair, chosen_rows
from lossbench.losses.pairing import BASELINES, Pair, outside_domain
from lossbench.planning.candidates import Draft
from lossbench.planning.command_line import encode, read_overrides
from lossbench.planning.composition import hydra_started, typed
from lossbench.planning.planner import resolve_draft
from lossbench.planning.schema import GROUPS

# What one network has no use for, and what does it instead.
ELSEWHERE = {
    "tune": "GridSearchCV over learning_rate= searches one.",
    "tuned": "give the rate as learning_rate=.",
    "repeat": "cross_val_score repeats a training.",
    "seeds": "random_state= is the seed.",
    "seed": "random_state= is the seed.",
    "corruption": "change y before fit.",
    "experiment": "lossbench.compare and the command run sweeps.",
}
# Settings of the data that a network has: how they are scaled, which share chooses the epoch, and an order of classes.
OF_DATA = ("dataset.standardize.", "dataset.split.train", "dataset.split.validation", "dataset.ordered")
OF_NETWORK = ("head", "loss", "model", "optimizer", "schedule", "early_stopping")
UNGROUPED = ("epochs", "batch_size", "evaluate_every", "select", "metric", "trainer")
# Hydra's state is one for a process.
_hydra_lock = threading.Lock()


@dataclass(frozen=True)
class Targets:
    """What settings must know of the targets that a network learns.

    Attributes
    ----------
    task : str
        One of ``heads.TASKS``.
    n_samples, n_outputs : int
        The number of rows, and of classes or of numbers in a target.
    low, high : float
        The least and the greatest target.
    """

    task: str
    n_samples: int
    n_outputs: int
    low: float
    high: float


def network_settings(given: Mapping[str, Any], targets: Targets) -> tuple[CellSettings, Pair]:
    """Return the settings of a network, and how its loss goes with its head.

    Parameters
    ----------
    given : mapping
        Values by the keys of the command line: ``loss``, ``optimizer.learning_rate``, ``model.hidden_units``.

    Raises
    ------
    UsageError
        With all problems found.
    """
    overrides = [f"{key}={encode(key, value).partition('=')[2]}" for key, value in given.items()]
    choices, content = _composed(json.dumps([targets.task, *overrides]))
    dataset = group_settings("dataset", content["dataset"])
    scaled = dataset.standardize
    if scaled.y == "auto":
        scaled = replace(scaled, y="standard" if targets.task == "regression" else "none")
    facts = FileFacts(
        digest="", n_samples=targets.n_samples, n_outputs=targets.n_outputs, target_range=[targets.low, targets.high],
        labels=[], numbers=[], categories=[], left_out={},
    )  # fmt: skip
    dataset = replace(dataset, path="", task=targets.task, standardize=scaled, file=facts)
    settings = cell_settings({**content, "dataset": plain(dataset)})
    draft = Draft(choices, {}, [], settings, as_sweep_settings(content), [])
    problems: list[Problem] = []
    reason = resolve_draft(draft, problems)
    if reason:
        problems.append(Problem(f"{reason}.", "`lossbench-list` shows what goes together."))
    if problems:
        raise UsageError(*problems)
    info = described(draft.settings.dataset)
    return draft.settings, chosen_pair(draft.settings.loss, draft.settings.head, info.task, targets.n_outputs)


def outside_domain_warning(settings: CellSettings, pair: Pair) -> str:
    """Return what is to be said of targets that the loss is not made for; '' if they are those it is made for."""
    info = described(settings.dataset)

    def reason(target_range: tuple[float, float]) -> str:
        rows = chosen_rows(settings.loss)
        found = (outside_domain(row, pair.encoding, target_range, ordered=info.ordered) for row in rows)
        return next(filter(None, found), "")

    said = reason(scaled_target_range(info, settings.dataset))
    if not said:
        return ""
    hint = "" if reason(info.target_range) else "; settings={'dataset.standardize.y': 'none'} leaves them unscaled"
    return f"loss={settings.loss.name} is {said}, where y is scaled for training{hint}"


@functools.lru_cache(maxsize=256)
def _composed(asked: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the choices of groups, and the plain settings, of overrides for a task; both are given as JSON."""
    task, *overrides = json.loads(asked)
    arguments = read_overrides(overrides, multirun=False)
    problems = [problem for key in (*arguments.choices, *arguments.values) if (problem := _misplaced(key))]
    if problems:
        raise UsageError(*problems)
    choices = {group: names[0] for group, names in arguments.choices.items()}
    if choices.get("loss", "auto") == "auto":
        choices["loss"] = BASELINES[task]
    choices |= {"dataset": FILE, "repeat": FOLDS, "tune": "none"}
    values = {key: values[0] for key, values in arguments.values.items()}
    with _hydra_lock, hydra_started():
        # As few folds as there can be: none of them is trained, and their number must fit the rows.
        content, problems = typed(choices, {**values, "repeat.folds": 2}, None)
    if problems:
        raise UsageError(*problems)
    return choices, content


def _misplaced(key: str) -> Problem | None:
    """Return the problem of a key that is no setting of a network; None for others, also for unknown ones."""
    group = key.partition(".")[0]
    if group in (*OF_NETWORK, *UNGROUPED) or key.startswith(OF_DATA):
        return None
    if group in ELSEWHERE or group in GROUPS or group in ("name", "plan", "rerun", "timeout", "tracking", "report"):
        kept = ", ".join((*OF_NETWORK, *UNGROUPED))
        message = f"{key} is no setting of a network on arrays."
        return Problem(message, ELSEWHERE.get(group, f"there is {kept} and dataset.standardize."))
    return None
