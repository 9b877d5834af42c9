"""A sweep before it runs: its cells, what is finished, what is skipped and why. Imports nothing heavy."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lossbench.arguments import ALL, Arguments, encode, group_folders, unique
from lossbench.config import GROUPS, CellConfig, cell_key, conf_folder, home, schema, validate
from lossbench.datasets.table import DATASETS, scaled_target_range
from lossbench.errors import MissingEnvironmentError, Problem, UsageError, unknown
from lossbench.heads import HEADS
from lossbench.losses.table import ALIASES, BASELINES, LOSSES, Pair, losses_for, outside_domain, pair

# Settings of the whole sweep: they make no cells and give it no other name.
SWEEP_SETTINGS = ("seeds", "name", "plan", "rerun", "tracking.enabled", "tracking.uri")


@dataclass(frozen=True)
class Cell:
    """One combination of settings, without its seeds: one Hydra job.

    Attributes
    ----------
    name : str
        ``circles/hinge/tanh``, then ``/key=value`` for each swept key.
    key : str
        Hash of the settings that make its numbers.
    settings : dict
        All of them, typed and resolved.
    swept : dict
        The swept keys with their values.
    overrides : list of str
        What its job is told.
    outside_domain : bool
        Whether its targets lie outside the loss's domain (marked with a dagger).
    """

    name: str
    key: str
    settings: dict[str, Any]
    swept: dict[str, Any]
    overrides: list[str]
    outside_domain: bool

    @property
    def dataset(self) -> str:
        """The data set's name, as chosen."""
        return self.name.split("/")[0]

    @property
    def loss(self) -> str:
        """The loss's name, as chosen."""
        return self.name.split("/")[1]

    @property
    def head(self) -> str:
        """The head's name."""
        return self.settings["head"]["name"]

    @property
    def task(self) -> str:
        """The task of its data set."""
        return DATASETS[self.settings["dataset"]["name"]].task

    @property
    def folder(self) -> str:
        """The name of its folder: its own and 8 digits of its key."""
        slug = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", self.name)
        return f"{slug[:120]}-{self.key[:8]}"

    @property
    def label(self) -> str:
        """The loss and the swept settings, with a dagger where targets lie outside the loss's domain."""
        return "/".join([self.loss + ("†" if self.outside_domain else ""), *self.name.split("/")[3:]])

    @property
    def pair(self) -> Pair:
        """How its loss goes with its head."""
        return pair(LOSSES[self.settings["loss"]["name"]], HEADS[self.head], self.task)


@dataclass(frozen=True)
class Plan:
    """A sweep: cells in order, all with the same seeds.

    Attributes
    ----------
    skipped : list of (name, reason)
        Combinations that cannot be.
    published : list of dict
        What others printed for some cells: dataset, loss, metric, train, test.
    hydra : list of str
        Overrides of Hydra's own config.
    """

    name: str
    experiment: str | None
    command: str
    cells: list[Cell]
    seeds: list[int]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)
    tracking: dict[str, Any] = field(default_factory=dict)
    rerun: str = "none"
    only_plan: bool = False

    @property
    def folder(self) -> Path:
        """Where its results lie."""
        return home() / "multirun" / self.name

    @property
    def n_runs(self) -> int:
        """How many runs it has."""
        return len(self.cells) * len(self.seeds)

    def to_json(self) -> str:
        """Return the plan as it is written to ``plan.json``."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_plan(folder: Path) -> Plan:
    """Return the plan of the sweep whose results lie in a folder."""
    content = json.loads((folder / "plan.json").read_text())
    content["cells"] = [Cell(**cell) for cell in content["cells"]]
    content["skipped"] = [tuple(entry) for entry in content["skipped"]]
    return Plan(**content)


def make_plan(arguments: Arguments, command: str) -> Plan:
    """Return the plan of a sweep, every cell validated.

    Raises
    ------
    UsageError
        With all that is wrong.
    """
    experiment = arguments.choices.get("experiment", [None])[0]
    with _hydra():
        common = _compose(("experiment", experiment)) if experiment else _compose()
        grids = [{key: _listed(key, value) for key, value in grid.items()} for grid in _plain(common.grids)] or [{}]
        assignments = list(_assignments(grids, arguments))
        if not assignments:
            raise UsageError(_nothing_matches(grids, arguments, experiment))
        _check_launcher(arguments)
        drafts, problems = _draft(assignments, experiment)
    cells, skipped = _resolve(drafts, problems)
    first = cells[0].settings
    name = first["name"] or _sweep_name(arguments, experiment)
    _check_sweep_name(name)
    return Plan(
        name=name,
        experiment=experiment,
        command=command,
        cells=cells,
        seeds=first["seeds"],
        skipped=skipped,
        notes=unique(arguments.notes),
        published=_plain(common.published) if _as_published(grids, arguments) else [],
        hydra=arguments.hydra,
        tracking=first["tracking"],
        rerun=first["rerun"],
        only_plan=first["plan"],
    )


@dataclass
class _Draft:
    """A cell on its way: what was asked for, and what came of it."""

    choices: dict[str, str]
    values: dict[str, Any]
    swept: list[str]
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        # The head's name is the resolved one.
        parts = [self.choices["dataset"], self.choices["loss"], self.settings["head"]["name"]]
        return "/".join(parts + [f"{key}={_short(value)}" for key, value in self.swept_settings.items()])

    @property
    def swept_settings(self) -> dict[str, Any]:
        both = {**self.choices, **self.values}
        return {key: both[key] for key in self.swept}


def _short(value: Any) -> str:
    return re.sub(r"[\s'\"]", "", str(value)) if isinstance(value, list) else str(value)


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def _listed(key: str, value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    return [ALIASES.get(item, item) if key == "loss" else item for item in values]


def _assignments(grids: list[dict[str, list]], arguments: Arguments) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield each combination of the grids and the arguments, and which of its keys are swept."""
    for grid in grids:
        axes = dict(grid)
        for group, names in arguments.choices.items():
            if group == "experiment":
                continue
            if group in grid and names != [ALL]:
                axes[group] = [name for name in grid[group] if name in names]
            elif group not in grid:
                axes[group] = names
        axes.update(arguments.values)
        swept = [key for key, values in axes.items() if len(values) > 1 and key not in ("dataset", "head", "loss")]
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True)), swept


def _as_published(grids: list[dict[str, list]], arguments: Arguments) -> bool:
    """Say whether the cells are the experiment's own, so that published values are comparable."""
    chosen = set(arguments.choices) - {"experiment"}
    return set(arguments.values) <= set(SWEEP_SETTINGS) and all(chosen <= set(grid) for grid in grids)


def _nothing_matches(grids: list[dict[str, list]], arguments: Arguments, experiment: str | None) -> Problem:
    asked = " ".join(f"{g}={','.join(n)}" for g, n in arguments.choices.items() if g != "experiment")
    there = unique(f"{d} ({', '.join(grid.get('loss', ['auto']))})" for grid in grids for d in grid.get("dataset", []))
    return Problem(
        f"experiment={experiment} has no cell with {asked}.",
        "it has " + "; ".join(there) + ". Without experiment=, any choice goes.",
    )


def _check_launcher(arguments: Arguments) -> None:
    names = [text.partition("=")[2] for text in arguments.hydra if text.startswith("hydra/launcher=")]
    there = GlobalHydra.instance().config_loader().get_group_options("hydra/launcher")
    if names and names[-1] not in there:
        hint = "pip install 'lossbench[joblib]'" if names[-1] == "joblib" else "install its Hydra plugin"
        message = f"the launcher {names[-1]!r} is not installed; there is {', '.join(there)}."
        raise MissingEnvironmentError(Problem(message, hint))


def _hydra():
    GlobalHydra.instance().clear()
    return initialize_config_dir(str(conf_folder()), version_base="1.3", job_name="lossbench")


@cache
def _compose(*choices: tuple[str, str]) -> DictConfig:
    """Compose a cell from choices alone: 40 ms, so once for each distinct combination."""
    overrides = [f"{group}={name}" for group, name in choices]
    return compose("config", [*search_path_override(), *overrides])


def search_path_override() -> list[str]:
    """Return the override that adds the working directory's own choices to Hydra's."""
    own = group_folders()[1:]
    return [f"hydra.searchpath=[file://{own[0]}]"] if own else []


def _draft(assignments, experiment: str | None) -> tuple[list[_Draft], list[Problem]]:
    """Return the cells asked for, and what is wrong with their types; a wrong value is left out."""
    drafts: list[_Draft] = []
    problems: list[Problem] = []
    for assignment, swept in assignments:
        choices = {key: str(value) for key, value in assignment.items() if key in GROUPS}
        values = {key: value for key, value in assignment.items() if key not in GROUPS}
        for draft_choices in _with_losses(choices, experiment):
            try:
                settings, wrong = _typed(draft_choices, values, experiment)
            except UsageError as error:
                problems += error.problems
                continue
            problems += wrong
            drafts.append(_Draft(draft_choices, values, swept, settings))
    return drafts, problems


def _with_losses(choices: dict[str, str], experiment: str | None) -> list[dict[str, str]]:
    """Return the choices with ``loss`` and ``dataset`` named: ``auto`` is the baseline, ``all`` all that fit."""
    config = _composed({**choices, "loss": "auto"}, experiment) if choices.get("loss") == ALL else None
    config = config or _composed(choices, experiment)
    choices = {"dataset": config.dataset.name, "loss": config.loss.name, **choices}
    info = DATASETS[config.dataset.name]
    if choices["loss"] == "auto":
        return [{**choices, "loss": BASELINES[info.task]}]
    if choices["loss"] != ALL:
        return [choices]
    target_range = scaled_target_range(info, _plain(config.dataset))
    inside = [
        name
        for name in losses_for(info.task)
        if not outside_domain(LOSSES[name], LOSSES[name].encodings[info.task][0], target_range)
    ]
    return [{**choices, "loss": name} for name in inside]


def _composed(choices: dict[str, str], experiment: str | None) -> DictConfig:
    pairs = [("experiment", experiment)] if experiment else []
    pairs += [(group, name) for group, name in choices.items() if group != "head"]
    try:
        return _compose(*pairs)
    except HydraException as error:
        raise UsageError(Problem(f"the configuration cannot be composed: {error}")) from None


def _typed(
    choices: dict[str, str], values: dict[str, Any], experiment: str | None
) -> tuple[dict[str, Any], list[Problem]]:
    """Return a cell's settings with the values set whose types hold, and the problems of the others."""
    composed = _composed(choices, experiment)
    problems = []
    plain = {key: value for key, value in composed.items() if key not in GROUPS}
    cell: Any = OmegaConf.merge(OmegaConf.structured(CellConfig), plain)
    for key in ("dataset", "head", "loss", "model", "optimizer"):
        try:
            cell[key] = _typed_group(key, composed[key])
        except (OmegaConfBaseException, KeyError) as error:
            problems.append(Problem(f"{key} of this configuration is wrong: {str(error).splitlines()[0]}"))
    if problems:
        raise UsageError(*problems)
    cell.head.name = choices.get("head", composed.head.name)
    problems = [problem for key, value in values.items() if (problem := _set(cell, key, value))]
    settings = _plain(cell)
    del settings["grids"], settings["published"]
    return settings, problems


def _typed_group(group: str, node: DictConfig) -> DictConfig:
    return OmegaConf.merge(OmegaConf.structured(schema(group, node.name)), node)  # type: ignore[return-value]


def _set(cell: DictConfig, key: str, value: Any) -> Problem | None:
    known = _keys(cell)
    if key not in known:
        group = key.split(".")[0]
        if group not in GROUPS or "." not in key:
            return unknown("key", key, [*known, *GROUPS, "seed"])
        options = [k for k in known if k.startswith(f"{group}.") and k != f"{group}.name"]
        there = ", ".join(options) or "no settings"
        near = unknown("key", key, options).hint
        message = f"unknown key {key!r}: {group}={cell[group].name} has {there}."
        return Problem(message, near if near.startswith("did you") else "")
    if key.split(".")[-1] == "name" and key != "name":
        return Problem(f"{key} cannot be set alone.", f"choose {key.split('.')[0]}={value} instead.")
    try:
        OmegaConf.update(cell, key, value)
    except OmegaConfBaseException:
        kind = known[key]
        return Problem(f"{key} must be {kind}; got {value!r}.")
    return None


def _keys(cell: DictConfig) -> dict[str, str]:
    """Return the dotted keys that a value can be given to, each with its type in words."""
    words = {int: "an integer", float: "a number", bool: "true or false", str: "a word"}
    keys: dict[str, str] = {}

    def walk(node: DictConfig, prefix: str) -> None:
        for name in map(str, node):
            key = f"{prefix}{name}"
            child = node._get_node(name)
            if isinstance(child, DictConfig):
                walk(child, f"{key}.")
            elif key not in ("grids", "published"):
                keys[key] = words.get(child._metadata.ref_type, "a value")  # type: ignore[union-attr]

    walk(cell, "")
    return keys


def _resolve(drafts: list[_Draft], problems: list[Problem]) -> tuple[list[Cell], list[tuple[str, str]]]:
    """Return the cells that can be, and the skipped ones with their reasons."""
    possible: list[tuple[_Draft, bool]] = []
    skipped: list[tuple[str, str]] = []
    problems = list(problems)
    for draft in drafts:
        settings = draft.settings
        info = DATASETS[settings["dataset"]["name"]]
        loss = LOSSES[settings["loss"]["name"]]
        if settings["head"]["name"] == "auto":
            settings["head"]["name"] = loss.heads.get(info.task) or next(iter(loss.heads.values()))
        try:
            made = pair(loss, HEADS[settings["head"]["name"]], info.task)
        except ValueError as error:
            skipped.append((draft.name, str(error)))
            continue
        problems += validate(settings)
        possible.append((draft, outside_domain(loss, made.encoding, scaled_target_range(info, settings["dataset"]))))
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
        cells.setdefault(key, _cell(draft, key, outside))
    return list(cells.values()), skipped


def _name_apart(drafts: list[_Draft]) -> None:
    """Add to the names of cells that would bear the same one the settings in which they differ."""
    drafts = sorted(drafts, key=lambda draft: draft.name)
    for _, same in itertools.groupby(drafts, key=lambda draft: draft.name):
        group = list(same)
        keys = unique(key for draft in group for key in {**draft.choices, **draft.values})
        differing = [k for k in keys if len(unique({**d.choices, **d.values}.get(k) for d in group)) > 1]
        for draft in group:
            draft.swept = [*draft.swept, *(k for k in differing if k in {**draft.choices, **draft.values})]


def _cell(draft: _Draft, key: str, outside: bool) -> Cell:
    seeds = draft.settings["seeds"]
    choices = {**draft.choices, "head": draft.settings["head"]["name"]}
    values = {k: v for k, v in draft.values.items() if k not in ("plan", "rerun")}
    values["seeds"] = len(seeds) if seeds == list(range(len(seeds))) else seeds
    overrides = [encode(k, v) for k, v in (choices | values).items()]
    return Cell(draft.name, key, draft.settings, draft.swept_settings, overrides, outside)


def _sweep_name(arguments: Arguments, experiment: str | None) -> str:
    choices = {group: names for group, names in arguments.choices.items() if group != "experiment"}
    values = {key: values for key, values in arguments.values.items() if key not in SWEEP_SETTINGS}
    if experiment and not choices and not values:
        return experiment
    words = ["-".join(choices[group]) for group in GROUPS if group in choices]
    words += [f"{key.split('.')[-1]}={'-'.join(map(str, items))}" for key, items in sorted(values.items())]
    slug = re.sub(r"[^A-Za-z0-9._=-]+", "-", "-".join(words)).strip("-")[:48].rstrip("-") or "default"
    content = json.dumps([experiment, sorted(choices.items()), sorted(values.items())])
    digits = hashlib.sha256(content.encode()).hexdigest()[:6]
    return "-".join(filter(None, [experiment, slug, digits]))


def _check_sweep_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,99}", name):
        raise UsageError(
            Problem(
                f"name must be letters, digits and . _ = + - only, at most 100; got {name!r}.",
                "it names the folder multirun/<name>/ and the experiment in MLflow.",
            )
        )
