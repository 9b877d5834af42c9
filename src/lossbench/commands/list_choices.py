"""``lossbench-list``: lists the choices of each group, describes one on a card, and says what goes together."""

import argparse
import textwrap
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from lossbench.config.paths import conf_folder
from lossbench.config.settings import CUSTOM, FILE, group_settings
from lossbench.console.text_tables import WIDTH, text_table
from lossbench.datasets.catalogue import DATASETS, DatasetInfo
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.losses.definition import Loss
from lossbench.losses.heads import HEADS, TASKS
from lossbench.losses.pairing import ALIASES, LOSSES, fitting_heads
from lossbench.metrics.catalogue import MAIN_METRICS, METRICS
from lossbench.planning.candidates import why_left_out
from lossbench.planning.command_line import Arguments, choices_of, group_folders, is_data, read_overrides
from lossbench.planning.presets import read_preset
from lossbench.planning.schema import GROUPS, meaning

if TYPE_CHECKING:
    from lossbench.datasets.user_file.description import FileDescription

# The groups that can be listed: those of the configuration, and the metrics.
LISTED = (*GROUPS, "metric")
# The most letters of a column's name in the table of a file's columns.
LONGEST_NAME = 22
OWN = "a choice of yours"
SWEEPS, MISSING = "sweeps", "dataset.missing"


def run(argv: list[str]) -> int:
    """Print the list or the card that the arguments name and return the exit status."""
    parser = argparse.ArgumentParser(
        "lossbench-list", description="Show what there is to choose, and what goes together."
    )
    parser.add_argument("group", nargs="?", help=f"one of {', '.join(LISTED)}; or {SWEEPS}: those on disk")
    parser.add_argument(
        "name",
        nargs="*",
        help="a choice of the group: its card; the settings of a file: what each of its columns is taken for; or the "
        "name of a sweep: its answer once more",
    )
    arguments = parser.parse_args(argv)
    if arguments.group is None:
        lines = _overview()
    elif arguments.group == SWEEPS:
        from lossbench.commands import list_sweeps

        lines = list_sweeps.summaries(arguments.name) if arguments.name else list_sweeps.lines()
    elif arguments.group.startswith(("dataset.", "dataset=")):
        lines = _columns_of_file("dataset", [arguments.group, *arguments.name])
    elif arguments.group.partition("=")[0] in LISTED and "=" in arguments.group:
        asked = arguments.group.replace("=", " ", 1)
        raise UsageError(Problem(f"{arguments.group} is a setting, not a group.", f"lossbench-list {asked}"))
    elif arguments.group not in LISTED:
        raise UsageError(unknown("group", arguments.group, (*LISTED, SWEEPS)))
    elif not arguments.name:
        lines = _group(arguments.group)
    elif any("=" in text for text in arguments.name):
        lines = _columns_of_file(arguments.group, arguments.name)
    else:
        lines = [line for name in arguments.name for line in _card(arguments.group, name)]
    print("\n".join(lines))
    return 0


def _overview() -> list[str]:
    lines = []
    for group in filter(_names, LISTED):
        lines += textwrap.wrap(f"{group}: {', '.join(_names(group))}", WIDTH, subsequent_indent="  ")
    for task, words in TASKS.items():
        names = [name for name, info in DATASETS.items() if info.task == task]
        heading = f"{words} (data sets: {', '.join(names)}); the first head is the loss's own"
        lines += ["", *textwrap.wrap(heading, WIDTH)]
        rows = [
            [f"  {name}", ", ".join(fitting_heads(loss, task))] for name, loss in LOSSES.items() if task in loss.heads
        ]
        lines += text_table([["  loss", "heads"], *rows], left=2)
        others = [name for name, loss in LOSSES.items() if task in loss.encodings and task not in loss.heads]
        if others:
            text = f"made for other targets, by name with an output for each class: {', '.join(others)}"
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [
        *lines,
        "",
        "a card: lossbench-list loss hinge; what goes with a data set: lossbench-list dataset circles;",
        "the columns of a file: lossbench-list dataset dataset.path=house.csv dataset.target=price",
    ]


def _names(group: str) -> list[str]:
    return list(METRICS) if group == "metric" else [name for name in choices_of(group) if name != "auto"]


def _group(group: str) -> list[str]:
    if group == "loss":
        rows = [[loss.name, ", ".join(TASKS[task] for task in loss.heads)] for loss in LOSSES.values()]
        return _wrapped_table([["loss", "for"], *rows])
    if group == "dataset":
        return _wrapped_table([[i.name, f"{_targets(i)}: {i.description}"] for i in DATASETS.values()])
    if group == "head":
        return text_table([[head.name, head.formula] for head in HEADS.values()], left=2)
    if group == "metric":
        return _wrapped_table([[metric.name, metric.description] for metric in METRICS.values()])
    if group in ("model", "optimizer", "schedule", "corruption", "tune", "repeat"):
        return _wrapped_table(
            [[name, OWN if _is_own(group, name) else meaning(group, name)] for name in choices_of(group)]
        )
    if group == "experiment":
        return _wrapped_table([[name, _experiment_comment(name)] for name in choices_of(group)])
    if not choices_of(group):
        return [f"no choices of {group} yet: lossbench-export {group} <sweep> writes one"]
    return choices_of(group)


def _targets(info: DatasetInfo) -> str:
    return TASKS.get(info.task, "what the data say" if info.is_own else info.task)


def _wrapped_table(rows: list[list[str]]) -> list[str]:
    """Return rows of two columns as lines, with the second column wrapped."""
    width = max(len(first) for first, _ in rows) + 2
    lines = []
    for first, second in rows:
        lines += textwrap.wrap(first.ljust(width) + second, WIDTH, subsequent_indent=" " * width)
    return lines


def _experiment_comment(name: str) -> str:
    """Return the comment of an experiment's file, without its first two lines (package and command)."""
    path = next(folder / "experiment" / f"{name}.yaml" for folder in group_folders() if _has(folder, name))
    comments = [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines()[2:] if line.startswith("#")]
    return " ".join(comments)


def _has(folder: Path, experiment: str) -> bool:
    return (folder / "experiment" / f"{experiment}.yaml").exists()


def _card(group: str, name: str) -> list[str]:
    name = ALIASES.get(name, name) if group == "loss" else name
    tables: dict[str, dict[str, Any]] = {"loss": LOSSES, "head": HEADS, "dataset": DATASETS, "metric": METRICS}
    known = list(tables[group]) if group in tables else choices_of(group)
    if name not in known and group == "dataset" and is_data(name):
        asked = quote(f"dataset.path={name}")
        raise UsageError(Problem(f"{name} is no data set, but data.", f"lossbench-list dataset {asked}"))
    if name not in (*known, *choices_of(group)):
        raise UsageError(unknown(group, name, known))
    if name not in known or _is_own(group, name):
        rows = {"what it is": f"{OWN}, in {_own_file(group, name)}", "settings": _settings(group, name)}
    elif group in ("model", "optimizer", "schedule", "corruption", "tune", "repeat"):
        rows = {"what it is": meaning(group, name), "settings": _settings(group, name)}
    elif group == "experiment":
        rows = {"what it is": _experiment_comment(name), "command": f"lossbench experiment={name}"}
    elif group == "tuned":
        rows = {f"{c['dataset']}/{c['loss']}/{c['head']}": _short(c["values"]) for c in _preset(name)}
    else:
        cards: dict[str, Any] = {
            "loss": loss_card,
            "head": _head_card,
            "dataset": _dataset_card,
            "metric": _metric_card,
        }
        rows = cards[group](tables[group][name])
    width = max(map(len, rows))
    lines = [name]
    for key, text in rows.items():
        lines += textwrap.wrap(f"  {key.ljust(width)}  {text}", WIDTH, subsequent_indent=" " * (width + 4))
    return lines + (_what_goes_with(name) if group == "dataset" else [])


def _columns_of_file(group: str, overrides: list[str]) -> list[str]:
    """Return how a user's data are understood, their columns or arrays as a table, and all warnings."""
    example = "lossbench-list dataset dataset.path=house.csv dataset.target=price"
    if group != "dataset":
        raise UsageError(Problem(f"lossbench-list {group} takes a name; got {' '.join(overrides)}.", example))
    settings = [text if "=" in text else f"dataset={text}" for text in overrides]
    described, gaps = _described(read_overrides(settings, multirun=False))
    if described.parts:
        table = text_table(described.parts, left=len(described.parts[0]))
        warned = ["", *_wrapped(described.warnings)] if described.warnings else []
        return [*_wrapped(described.notes), "", *table, *warned]
    rows = [
        [_shortened(each.name), each.cells, each.use, str(each.n_missing), str(each.n_levels)]
        for each in described.columns
    ]
    head, *table = text_table([["column", "cells", "used as", "missing", "levels"], *rows], left=3)
    lines = [*_wrapped(described.notes), "", head]
    for line, each in zip(table, described.columns, strict=True):
        lines += [line, *(f"    {remark}" for remark in each.remarks)]
    warnings = [*described.warnings, *gaps]
    return [*lines, *([""] * bool(warnings)), *_wrapped(warnings)]


def _described(arguments: Arguments) -> tuple["FileDescription", list[str]]:
    """Return the description of a user's data, and what is to be said of missing values.

    The columns must be seen before one can decide what becomes of these.
    """
    # Imported only for users' data: pandas takes 0.4 s.
    from lossbench.planning.file_descriptions import description_of_file

    try:
        return description_of_file(arguments), []
    except UsageError as error:
        if MISSING in arguments.values:
            raise
        try:
            filled = replace(arguments, values={**arguments.values, MISSING: ["impute"]})
            return description_of_file(filled), [f"{each.message} {each.hint}" for each in error.problems]
        except UsageError:
            raise error from None


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _wrapped(texts: list[str]) -> list[str]:
    return [line for text in texts for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ")]


def _preset(name: str) -> list[dict[str, Any]]:
    try:
        return read_preset(name)
    except ValueError as error:
        raise UsageError(Problem(f"tuned={name} {error}")) from None


def _short(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:.3g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()
    )


def _is_own(group: str, name: str) -> bool:
    """Return whether a choice is a file of the working directory's ``conf/`` that says nothing of itself."""
    described = group in GROUPS and group not in ("experiment", "tuned")
    return described and not (conf_folder() / group / f"{name}.yaml").exists()


def _own_file(group: str, name: str) -> Path:
    """Return the file of a choice: of ``conf/`` as shipped, or in the working directory."""
    return next(path for folder in group_folders() if (path := folder / group / f"{name}.yaml").exists())


def _settings(group: str, name: str) -> str:
    """Return the settings of a choice with their default values."""
    settings = OmegaConf.load(_own_file(group, name))
    plain: dict[str, Any] = OmegaConf.to_container(settings)  # type: ignore[assignment]
    return ", ".join(f"{group}.{key}={value}" for key, value in plain.items() if key != "name").replace("'", "")


def _what_goes_with(dataset: str) -> list[str]:
    """Return lines with the losses and heads that go with a data set, and the reasons why other losses do not."""
    info = DATASETS[dataset]
    if info.is_own:
        needs = {FILE: "dataset.path=… dataset.target=…", CUSTOM: "dataset.function=…"}.get(dataset, "dataset.path=…")
        return ["", f"  what goes with it: lossbench dataset={dataset} {needs} loss=all plan=true"]
    content: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / "dataset" / f"{dataset}.yaml"))
    reasons = why_left_out(info, group_settings("dataset", content), "auto")
    taken = [name for name, reason in reasons.items() if not reason]
    rows = [[f"  {name}", ", ".join(fitting_heads(LOSSES[name], info.task))] for name in taken]
    lines = ["", *text_table([["  loss=all takes", "with head"], *rows], left=2)]
    together: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            together.setdefault(reason, []).append(name)
    for reason, names in together.items():
        text = f"not {', '.join(names)}: {reason}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def _interval(low: float, high: float) -> str:
    return "any number" if (low, high) == (-float("inf"), float("inf")) else f"from {low:g} to {high:g}"


def loss_card(loss: Loss) -> dict[str, str]:
    """Return what there is to say of a loss, by headings; the built documentation shows it too."""
    card = {"formula": loss.formula, "meaning": loss.meaning}
    for task, encodings in loss.encodings.items():
        own, *others = fitting_heads(loss, task)
        also = f" (or {', '.join(others)})" if others else ""
        card[f"for {TASKS[task]}"] = f"head {own}{also}; targets as {' or '.join(encodings)}"
    card["targets"] = _interval(*loss.y_true)
    card["predictions"] = _interval(*loss.y_pred)
    card["best constant"] = loss.statistic.replace("_", " ")
    for parameter in loss.parameters:
        card[f"loss.{parameter.name}"] = f"{parameter.description}; from {parameter.low:g}, below {parameter.high:g}"
    if loss.aliases:
        card["also called"] = ", ".join(loss.aliases)
    if loss.keras:
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


def _metric_card(metric) -> dict[str, str]:
    main = [TASKS[task] for task, name in MAIN_METRICS.items() if name == metric.name]
    return {
        "what it is": metric.description,
        "for": ", ".join(TASKS[task] for task in metric.tasks),
        "better": "lower" if metric.lower_is_better else "higher",
        **({"main metric of": ", ".join(main)} if main else {}),
    }


def _dataset_card(info: DatasetInfo) -> dict[str, str]:
    return {
        "task": _targets(info),
        "what it is": info.description,
        "targets": _interval(*info.target_range),
        "settings": _settings("dataset", info.name),
        "ceiling": "known, from the generator" if info.optimum else "not known",
        "source": info.source,
    }
