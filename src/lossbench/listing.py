"""``lossbench-list``: what there is to choose, a card for each, and what goes together."""

import argparse
import textwrap

from lossbench.arguments import choices_of
from lossbench.config import GROUPS
from lossbench.datasets.table import DATASETS
from lossbench.errors import UsageError, unknown
from lossbench.heads import HEADS
from lossbench.losses.table import ALIASES, LOSSES, Loss, pair
from lossbench.terminal import WIDTH, table

TASKS = {"regression": "numbers", "binary": "two classes", "multiclass": "several classes"}


def run(argv: list[str]) -> int:
    """Print what was asked for and return the exit status."""
    parser = argparse.ArgumentParser(
        "lossbench-list", description="Show what there is to choose, and what goes together."
    )
    parser.add_argument("group", nargs="?", help=f"one of {', '.join(GROUPS)}")
    parser.add_argument("name", nargs="?", help="a choice of the group: its card")
    arguments = parser.parse_args(argv)
    if arguments.group is None:
        lines = _overview()
    elif arguments.group not in GROUPS:
        raise UsageError(unknown("group", arguments.group, GROUPS))
    elif arguments.name is None:
        lines = _group(arguments.group)
    else:
        lines = _card(arguments.group, arguments.name)
    print("\n".join(lines))
    return 0


def _overview() -> list[str]:
    lines = []
    for group in GROUPS:
        names = [name for name in choices_of(group) if name != "auto"]
        lines += textwrap.wrap(f"{group}: {', '.join(names)}", WIDTH, subsequent_indent="  ")
    for task, words in TASKS.items():
        names = [name for name, info in DATASETS.items() if info.task == task]
        lines += ["", f"{words} (data sets: {', '.join(names)}); the first head is the loss's own"]
        rows = [
            [name, ", ".join(_fitting_heads(loss, task))] for name, loss in LOSSES.items() if task in loss.encodings
        ]
        lines += table([["  loss", "heads"], *([f"  {name}", heads] for name, heads in rows)], left=2)
    return [*lines, "", "a card: lossbench-list loss hinge"]


def _fitting_heads(loss: Loss, task: str) -> list[str]:
    names = []
    for name, head in HEADS.items():
        try:
            pair(loss, head, task)
        except ValueError:
            continue
        names.append(name)
    return sorted(names, key=lambda name: name != loss.heads[task])


def _group(group: str) -> list[str]:
    if group == "loss":
        rows = [[loss.name, ", ".join(TASKS[task] for task in loss.encodings)] for loss in LOSSES.values()]
        return table([["loss", "for"], *rows], left=2)
    if group == "dataset":
        return table([[i.name, TASKS[i.task], i.description] for i in DATASETS.values()], left=3)
    if group == "head":
        return table([[head.name, head.formula] for head in HEADS.values()], left=2)
    return choices_of(group)


def _card(group: str, name: str) -> list[str]:
    name = ALIASES.get(name, name) if group == "loss" else name
    tables: dict[str, dict] = {"loss": LOSSES, "head": HEADS, "dataset": DATASETS}
    known = tables.get(group, {})
    if name not in known:
        raise UsageError(unknown(group, name, known or choices_of(group)))
    rows = {"loss": _loss_card, "head": _head_card, "dataset": _dataset_card}[group](known[name])
    width = max(map(len, rows))
    lines = [name]
    for key, text in rows.items():
        lines += textwrap.wrap(f"  {key.ljust(width)}  {text}", WIDTH, subsequent_indent=" " * (width + 4))
    return lines


def _interval(low: float, high: float) -> str:
    return "any number" if (low, high) == (-float("inf"), float("inf")) else f"from {low:g} to {high:g}"


def _loss_card(loss: Loss) -> dict[str, str]:
    card = {"formula": loss.formula, "meaning": loss.meaning}
    for task, encodings in loss.encodings.items():
        heads = ", ".join(_fitting_heads(loss, task))
        card[f"for {TASKS[task]}"] = f"head {heads}; targets as {' or '.join(encodings)}"
    card["targets"] = _interval(*loss.y_true)
    card["predictions"] = _interval(*loss.y_pred)
    card["best constant"] = loss.statistic.replace("_", " ")
    for parameter in loss.parameters:
        card[f"loss.{parameter.name}"] = f"{parameter.description}; from {parameter.low:g}, below {parameter.high:g}"
    if loss.aliases:
        card["also called"] = ", ".join(loss.aliases)
    card["Keras"] = f"keras.losses.{loss.keras}"
    card["source"] = loss.source
    return card


def _head_card(head) -> dict[str, str]:
    targets = "; ".join(f"{TASKS[task]}: {' or '.join(names)}" for task, names in head.encodings.items())
    return {
        "prediction": f"{head.formula}, z the raw prediction",
        "range": _interval(head.low, head.high),
        "targets as": targets,
        "class": head.class_rule,
        "source": head.source,
    }


def _dataset_card(info) -> dict[str, str]:
    settings = ", ".join(f"dataset.{name}" for name in info.ranges)
    return {
        "task": TASKS[info.task],
        "what it is": info.description,
        "targets": _interval(*info.target_range),
        "settings": settings,
        "source": info.source,
    }
