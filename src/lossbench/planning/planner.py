"""Makes the plan: turns grids and arguments into cells and validates every cell before anything trains."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lossbench.config.settings import (
    CUSTOM,
    FILE,
    NPZ,
    PICTURES,
    CellSettings,
    SweepSettings,
    keys_of,
    plain,
    with_values,
)
from lossbench.datasets.catalogue import described, n_outputs, scaled_target_range
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.choice import chosen_head, chosen_outside_domain, chosen_pair
from lossbench.planning.candidates import Draft, assignments_of, axis_values, drafts_of
from lossbench.planning.command_line import Arguments, encode, unique
from lossbench.planning.compared import compared, value_in
from lossbench.planning.composition import check_launcher, composed, hydra_started, to_container
from lossbench.planning.keys import cell_key
from lossbench.planning.known_sweeps import names_ending_in
from lossbench.planning.normalisation import normalised, normalised_loss, normalised_sweep
from lossbench.planning.plan import Cell, Plan
from lossbench.planning.presets import preset_values, read_preset
from lossbench.planning.same_trainings import notes_on_same_trainings
from lossbench.planning.schema import GROUPS
from lossbench.planning.validation import report_problems, validate, validate_loss

# What a file's name ends in, besides what it is called.
ENDINGS = re.compile(r"(\.(csv|tsv|txt|npz|parquet|pq|jsonl|ndjson|gz|bz2|xz|zip))+$", re.IGNORECASE)
# Settings of the whole sweep. They create no cells and do not change the sweep's name.
SWEEP_SETTINGS = keys_of(SweepSettings)


def make_plan(arguments: Arguments, command: str, begin: Callable[[str, Any], None] = lambda name, seeds: None) -> Plan:
    """Return the plan of a sweep with every cell validated.

    Parameters
    ----------
    arguments : Arguments
        The command line.
    command : str
        The same as the user gave it.
    begin : callable
        Called with the sweep's name, and with its seeds as they were given, as soon as these are known, long before all
        cells are planned; not for a sweep that is only planned.

    Raises
    ------
    UsageError
        With all problems found.
    """
    experiment = arguments.choices.get("experiment", [None])[0]
    with hydra_started():
        common = composed({}, experiment)
        if not _given("plan", arguments, common):
            name = str(_given("name", arguments, common) or _sweep_name(arguments, experiment)[0])
            begin(name, _given("seeds", arguments, common))
        grids = [
            {key: axis_values(key, value) for key, value in grid.items()} for grid in to_container(common.grids)
        ] or [{}]
        assignments = list(assignments_of(grids, arguments))
        if not assignments:
            raise UsageError(_nothing_matches(grids, arguments, experiment))
        check_launcher(arguments.hydra)
        drafts, left_out, problems = drafts_of(assignments, experiment)
    cells, skipped, sweep, seeds = _resolve(drafts, problems)
    name, renamed = (sweep.name, []) if sweep.name else _sweep_name(arguments, experiment)
    _check_sweep_name(name)
    report, said, problems = compared(sweep.report, cells)
    problems = problems or report_problems(report, [value_in(cell, report.compare) for cell in cells])
    if problems:
        raise UsageError(*problems)
    return Plan(
        name=name,
        experiment=experiment,
        command=command,
        cells=cells,
        seeds=seeds,
        skipped=unique([*skipped, *left_out]),
        notes=unique(
            [
                *arguments.notes,
                *(note for draft in drafts for note in draft.notes),
                *said,
                *renamed,
                *notes_on_same_trainings(cells),
            ]
        ),
        published=to_container(common.published) if _as_published(grids, arguments) else [],
        claims=to_container(common.claims) if _as_published(grids, arguments) else [],
        hydra=arguments.hydra,
        tracking=sweep.tracking,
        report=report,
        rerun=sweep.rerun,
        timeout=sweep.timeout,
        only_plan=sweep.plan,
    )


def _given(key: str, arguments: Arguments, common: DictConfig) -> Any:
    """Return a setting of the sweep from the command line, else from its experiment or the default."""
    value = arguments.values.get(key, [common[key]])[0]
    return to_container(value) if OmegaConf.is_config(value) else value


def _as_published(grids: list[dict[str, list]], arguments: Arguments) -> bool:
    """Return whether the cells are the experiment's own, or some of them, so that published values are comparable."""
    chosen = set(arguments.choices) - {"experiment"}
    return set(arguments.values) <= set(SWEEP_SETTINGS) and all(chosen <= set(grid) for grid in grids)


def _nothing_matches(grids: list[dict[str, list]], arguments: Arguments, experiment: str | None) -> Problem:
    """Return the problem of arguments that select no cell of an experiment."""
    asked = " ".join(f"{g}={','.join(n)}" for g, n in arguments.choices.items() if g != "experiment")
    there = unique(f"{d} ({', '.join(grid.get('loss', ['auto']))})" for grid in grids for d in grid.get("dataset", []))
    has = f"it has {'; '.join(there)}. " if there else ""
    return Problem(f"experiment={experiment} has no cell with {asked}.", f"{has}Without experiment=, any choice goes.")


def _resolve(
    drafts: list[Draft], problems: list[Problem]
) -> tuple[list[Cell], list[tuple[str, str]], SweepSettings, dict[str, list[int]]]:
    """Return the valid cells, the skipped combinations with reasons, the settings of the sweep, and its seeds.

    Raises
    ------
    UsageError
        With all problems found, or if every combination is skipped.
    """
    possible: list[tuple[Draft, bool]] = []
    skipped: list[tuple[str, str]] = []
    problems = list(problems)
    for draft in drafts:
        reason = resolve_draft(draft, problems)
        if reason:
            skipped.append((draft.name, reason))
        elif reason is not None:
            possible.append((draft, _is_outside_domain(draft.settings)))
    if problems:
        raise UsageError(*problems)
    problems = _unfair([draft for draft, _ in possible])
    if problems:
        raise UsageError(*problems)
    if not possible:
        raise UsageError(
            *(Problem(f"{reason}.", "`lossbench-list` shows what goes together.") for _, reason in skipped)
        )
    _name_apart([draft for draft, _ in possible])
    cells: dict[str, Cell] = {}
    for draft, outside in possible:
        key = cell_key(draft.settings)
        # Different words can mean the same settings: one cell then, trained once.
        cells.setdefault(key, _cell(draft, key, outside))
    seeds = {draft.settings.repeat.name: draft.sweep.seeds for draft, _ in possible}
    return list(cells.values()), skipped, possible[0][0].sweep, seeds


def resolve_draft(draft: Draft, problems: list[Problem]) -> str | None:
    """Normalise and validate a draft and resolve its head; add its problems to the list.

    Returns
    -------
    str or None
        '' if loss and head are compatible, else the reason why not: the combination is skipped. None if the loss itself
        is invalid, which has been added to the problems.
    """
    # The loss comes first: head and pair can only be resolved with a valid loss.
    draft.sweep, unread_sweep = normalised_sweep(draft.sweep, draft.settings.repeat.default_seeds)
    draft.settings, unread_loss = normalised_loss(draft.settings)
    wrong = [*unread_loss, *validate_loss(draft.settings)]
    if wrong:
        draft.settings, unread = normalised(draft.settings)
        problems += [*wrong, *unread_sweep, *unread, *validate(draft.settings, draft.sweep)]
        return None
    settings = draft.settings
    info = described(settings.dataset)
    if settings.head.name == "auto":
        head = replace(settings.head, name=chosen_head(settings.loss, info.task))
        draft.settings = settings = replace(settings, head=head)
    try:
        chosen_pair(settings.loss, settings.head, info.task, n_outputs(info, settings.dataset))
    except ValueError as error:
        return str(error)
    preset = draft.choices.get("tuned")
    if preset:
        problems += _apply_preset(draft, preset)
    draft.settings, unread = normalised(draft.settings)
    problems += [*unread_sweep, *unread, *validate(draft.settings, draft.sweep)]
    return ""


def _is_outside_domain(settings: CellSettings) -> bool:
    info = described(settings.dataset)
    made = chosen_pair(settings.loss, settings.head, info.task, n_outputs(info, settings.dataset))
    target_range = scaled_target_range(info, settings.dataset)
    return chosen_outside_domain(settings.loss, made.encoding, target_range, ordered=info.ordered)


def _apply_preset(draft: Draft, name: str) -> list[Problem]:
    """Set the tuned values that a preset has for a cell; return problems."""
    try:
        found = preset_values(read_preset(name), [draft.dataset, draft.choices["dataset"]], draft.settings)
    except ValueError as error:
        return [Problem(f"tuned={name} {error}", "tune them: tune=learning_rate.")]
    twice = [key for key in found if key in draft.values]
    twice += ["tune=learning_rate"] if draft.settings.is_tuned else []
    if twice:
        return [Problem(f"tuned={name} sets the same as {' and '.join(twice)}; leave one of them out.")]
    # A new dict, because drafts of one assignment share theirs.
    draft.values = draft.values | found
    draft.settings = with_values(draft.settings, found)
    return []


def _unfair(drafts: list[Draft]) -> list[Problem]:
    """Return problems across cells: studies with unequal settings, and searched parameters that no loss has."""
    tuned = [draft for draft in drafts if draft.settings.is_tuned]
    spaces = [key for draft in tuned for key in draft.settings.study.space if key.startswith("loss.")]
    there = {f"loss.{name}" for draft in tuned for name in plain(draft.settings.loss)}
    problems = [
        Problem(f"tune.space: no loss of this sweep has {key}.", "leave it out, or add a loss that has it.")
        for key in unique(spaces)
        if key not in there
    ]
    studies: dict[str, dict[str, set[str]]] = {}
    for draft in tuned:
        told = json.dumps(plain(draft.settings.tune), sort_keys=True)
        studies.setdefault(draft.dataset, {}).setdefault(draft.choices["loss"], set()).add(told)
    for dataset, by_loss in studies.items():
        if len(unique(by_loss.values())) > 1:
            message = f"all losses on dataset={dataset} must have the same tune settings; those of this sweep differ."
            problems.append(Problem(message, "a larger budget for one loss would favour it."))
    return problems


def _name_apart(drafts: list[Draft]) -> None:
    """Make cell names unique: add to equal names the settings in which their cells differ."""
    drafts = sorted(drafts, key=lambda draft: draft.name)
    for _, same in itertools.groupby(drafts, key=lambda draft: draft.name):
        group = list(same)
        keys = unique(key for draft in group for key in {**draft.choices, **draft.values})
        differing = [k for k in keys if len(unique({**d.choices, **d.values}.get(k) for d in group)) > 1]
        for draft in group:
            draft.apart = [*draft.apart, *(k for k in differing if k in {**draft.choices, **draft.values})]


def _cell(draft: Draft, key: str, outside: bool) -> Cell:
    """Return a draft as a cell, with the overrides from which its job composes the same settings."""
    seeds = draft.sweep.seeds
    choices = {**draft.choices, "head": draft.settings.head.name}
    # The preset's values are among draft.values by now.
    choices.pop("tuned", None)
    values = {k: v for k, v in draft.values.items() if k not in ("plan", "rerun", "timeout")}
    values["seeds"] = len(seeds) if seeds == list(range(len(seeds))) else seeds
    overrides = [encode(k, v) for k, v in (choices | values).items()]
    return Cell(
        name=draft.name,
        dataset=draft.dataset,
        loss=draft.choices["loss"],
        key=key,
        settings=draft.settings,
        swept=draft.swept_settings,
        overrides=overrides,
        outside_domain=outside,
    )


def _sweep_name(arguments: Arguments, experiment: str | None) -> tuple[str, list[str]]:
    """Return the name of a sweep without ``name=``, and a note if it goes on under an earlier form of its name.

    The same arguments give the same name, and so the same folder. The digits at its end are made from the arguments
    alone, so a sweep is found by them if its words were chosen by other rules.
    """
    choices = {group: names for group, names in arguments.choices.items() if group != "experiment"}
    values = {key: values for key, values in arguments.values.items() if key not in SWEEP_SETTINGS}
    if experiment and not choices and not values:
        return experiment, []
    if experiment and not values and set(choices) == {"tune"} and "learning_rate" in choices["tune"]:
        return f"{experiment}-tuned", []
    slug = _safe("-".join(_words(choices, values)))[:48].rstrip("-") or "default"
    content = json.dumps([experiment, sorted(choices.items()), sorted(values.items())])
    digits = hashlib.sha256(content.encode()).hexdigest()[:6]
    name = "-".join(filter(None, [experiment, slug, digits]))
    there = names_ending_in(digits)
    if there and name not in there:
        return there[0], [f"goes on under its earlier name; name={name} would begin anew"]
    return name, []


def _words(choices: dict[str, list[str]], values: dict[str, list]) -> list[str]:
    """Return the words of a sweep's name: choices, then values; the user's own data stand in place of their kind."""
    files = [_safe(ENDINGS.sub("", Path(str(path)).name)) or FILE for path in values.get("dataset.path", [])]
    files += [_safe(str(function).replace(":", ".")) for function in values.get("dataset.function", [])]
    by_path = [[kind] for kind in (FILE, NPZ, PICTURES, CUSTOM)]
    chosen = {
        group: names for group, names in choices.items() if not (files and group == "dataset" and names in by_path)
    }
    words = [*files, *("-".join(chosen[group]) for group in GROUPS if group in chosen)]
    others = sorted((key, items) for key, items in values.items() if key not in ("dataset.path", "dataset.function"))
    return words + [f"{key.split('.')[-1]}={'-'.join(map(str, items))}" for key, items in others]


def _safe(text: str) -> str:
    """Return a text with a hyphen for what a folder's name should not have; it begins with a letter or a digit."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).lstrip("._=-").rstrip("-")


def _check_sweep_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,99}", name):
        raise UsageError(
            Problem(
                "name must begin with a letter or a digit and have letters, digits and . _ = + - only, at most 100; "
                f"got {name!r}.",
                "it names the folder multirun/<name>/ and the experiment in MLflow.",
            )
        )
