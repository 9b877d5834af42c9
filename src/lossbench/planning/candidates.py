"""Drafts of cells: every combination of the grids and the arguments, typed, with its data set described."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lossbench.config.settings import (
    AUTO,
    FOLDS,
    GROUPS_OF_A_CELL,
    SEEDS,
    CellSettings,
    DatasetSettings,
    FileSettings,
    OwnArraysSettings,
    OwnSettings,
    SweepSettings,
    cell_settings,
    group_settings,
    plain,
    sweep_settings,
)
from lossbench.datasets.catalogue import DATASETS, DatasetInfo, described, n_outputs, n_samples, scaled_target_range
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.choice import chosen_rows
from lossbench.losses.definition import Loss
from lossbench.losses.heads import TASKS
from lossbench.losses.pairing import ALIASES, BASELINES, LOSSES, losses_for, outside_domain
from lossbench.planning.command_line import ALL, Arguments, unique
from lossbench.planning.composition import composed, has_key, to_container, typed
from lossbench.planning.plan import swept_value
from lossbench.planning.schema import GROUPS

if TYPE_CHECKING:
    # Imported only for files: pandas takes 0.4 s.
    from lossbench.datasets.user_file.description import FileDescription

# Values of these keys ask for one split instead of folds.
ONE_SPLIT = ("dataset.split.train", "dataset.split.test", "dataset.split.seed")
# From so many rows on, ``repeat=auto`` is one split and ``tune=auto`` no search.
MANY_ROWS = 20_000
# A user's file whose rarest class has less than this share of the rows is judged by BALANCED, unless ``metric`` is set.
RARE, BALANCED = 0.1, "balanced_accuracy"
# With fewer rows a choice of the learning rate would be a guess: ``tune=auto`` leaves it.
FEW_ROWS = 50


@dataclass
class Draft:
    """A cell before validation.

    Attributes
    ----------
    choices : dict
        The choice of each group.
    values : dict
        The values given for dotted keys.
    swept : list of str
        The keys with several values in the sweep.
    settings, sweep : CellSettings, SweepSettings
        The composed settings, which the planner replaces by normalised ones.
    notes : list of str
        Lines for the user about the data set.
    automatic : list of str
        The groups whose choice follows from the data set (``auto``); the name does not tell them.
    """

    choices: dict[str, str]
    values: dict[str, Any]
    swept: list[str]
    settings: CellSettings
    sweep: SweepSettings
    notes: list[str]
    automatic: list[str] = field(default_factory=list)

    # Keys added to the name because another cell would otherwise have the same one.
    apart: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return dataset_name(self.choices["dataset"], self.settings.dataset)

    @property
    def name(self) -> str:
        """The name of the cell, with the resolved head in it."""
        parts = [self.dataset, self.choices["loss"], self.settings.head.name]
        return "/".join(parts + [f"{key}={swept_value(key, value)}" for key, value in self.swept_settings.items()])

    @property
    def swept_settings(self) -> dict[str, Any]:
        """The keys and values in the cell's name after data set, loss and head."""
        both = {
            **self.choices,
            **self.values,
            "corruption": self.settings.corruption.name,
            "tune": self.settings.tune.name,
            "repeat": self.settings.repeat.name,
        }
        # Tuning and corruption are always part of the name, even if not swept, to tell the cell from the one without.
        said = ["tune"] if self.settings.is_tuned and "tune" not in self.automatic else []
        if self.settings.is_corrupted and not any(key.startswith("corruption.") for key in self.swept):
            said.append("corruption")
        if self.settings.draws_samples:
            said.append("repeat")
        # A file's path is left out: the name begins with the file's name already.
        swept = [*said, *(key for key in self.swept if key not in (*said, "dataset.path")), *self.apart]
        # A cell without a study does not say tune=none.
        return {key: both[key] for key in swept if key in both and (key, both[key]) != ("tune", "none")}


def dataset_name(choice: str, settings: DatasetSettings) -> str:
    """Return the name of a data set: its choice, or for ``dataset=csv`` and its like that of the user's data."""
    return settings.label if choice == settings.name and isinstance(settings, OwnSettings) else choice


def axis_values(key: str, value: Any) -> list[Any]:
    """Return the values of one axis of a grid as a list, with aliases of losses resolved."""
    values = value if isinstance(value, list) else [value]
    return [ALIASES.get(item, item) if key == "loss" else item for item in values]


def assignments_of(grids: list[dict[str, list]], arguments: Arguments) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield each combination of the grids' and the arguments' values, with the keys that are swept.

    An argument for a group that a grid lists selects from the grid; any other argument replaces or adds an axis.
    """
    for grid in grids:
        axes = dict(grid)
        for group, names in arguments.choices.items():
            if group == "experiment":
                continue
            if group not in grid or grid[group] == [ALL]:
                axes[group] = names
            elif names != [ALL]:
                axes[group] = [name for name in grid[group] if name in names]
        axes.update(arguments.values)
        swept = [key for key, values in axes.items() if len(values) > 1 and key not in ("dataset", "head", "loss")]
        for values in itertools.product(*axes.values()):
            yield dict(zip(axes, values, strict=True)), swept


def drafts_of(assignments, experiment: str | None) -> tuple[list[Draft], list[tuple[str, str]], list[Problem]]:
    """Return the drafts of all assignments, the losses that ``loss=all`` leaves out with reasons, and type problems.

    A value of the wrong type becomes a problem and is not set, so that later checks can go on.
    """
    left_out: list[tuple[str, str]] = []
    problems: list[Problem] = []
    combined: list[tuple[dict[str, str], dict[str, Any], list[str]]] = []
    some_tuned = any(assignment.get("tune", "none") != "none" for assignment, _ in assignments)
    for assignment, swept in assignments:
        choices = {key: str(value) for key, value in assignment.items() if key in GROUPS}
        values = {key: value for key, value in assignment.items() if key not in GROUPS}
        if some_tuned and choices.get("tune") == "none":
            # Settings of the study apply to the tuned cells of the sweep only.
            values = {key: value for key, value in values.items() if not key.startswith("tune.")}
        try:
            chosen, reasons = _with_losses(choices, values, experiment)
        except UsageError as error:
            problems += unique([*_of_values({**choices, "loss": "auto"}, values, experiment), *error.problems])
            continue
        left_out += reasons
        combined += [(each, values, swept) for each in chosen]
    drafts: list[Draft] = []
    alternatives = {group: unique(each.get(group) for each, *_ in combined) for group in GROUPS_OF_A_CELL}
    for choices, values, swept in combined:
        own = values
        try:
            own, notes = _own_values(choices, values, alternatives, experiment)
            drafts += _drafted(choices, own, swept, notes, experiment, problems)
        except UsageError as error:
            problems += unique([*_of_values(choices, own, experiment), *error.problems])
    return drafts, left_out, problems


def _of_values(choices: dict[str, str], values: dict[str, Any], experiment: str | None) -> list[Problem]:
    """Return the problems of values as such, whatever is wrong with the data that they name."""
    try:
        return typed(choices, values, experiment)[1]
    except UsageError:
        return []


def _own_values(
    choices: dict[str, str], values: dict[str, Any], alternatives: dict[str, list], experiment: str | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the values without settings that only other choices of a swept group have, and notes that say so.

    So ``loss=mse,huber loss.delta=2`` sets what it can set. A setting that no choice has is a mistake, and stays.
    """
    own, notes = dict(values), []
    for key in values:
        group = key.partition(".")[0]
        others = alternatives.get(group, [])
        # What ``auto`` stands for is chosen later.
        if key == group or len(others) < 2 or AUTO in others or has_key(choices, key, experiment):
            continue
        rest = {name: choice for name, choice in choices.items() if name != group}
        having = [each for each in others if has_key(rest | ({group: each} if each else {}), key, experiment)]
        if having:
            del own[key]
            named = ",".join(filter(None, having)) or "the default"
            notes.append(f"{key} is set for {group}={named}, which alone can have it")
    return own, notes


def _drafted(
    choices: dict[str, str],
    values: dict[str, Any],
    swept: list[str],
    notes: list[str],
    experiment: str | None,
    problems: list[Problem],
) -> list[Draft]:
    """Return the draft of one combination, if its settings make one; add the problems of its values to the list.

    Raises
    ------
    UsageError
        If its data cannot be described.
    """
    content, wrong = typed(choices, values, experiment)
    dataset, description = _with_facts(content["dataset"])
    choices, note = _with_model(choices, dataset, experiment)
    notes = [*notes, *(description.in_short if description else []), *note]
    automatic = [group for group in ("repeat", "tune") if content[group]["name"] == AUTO]
    if automatic or note:
        given = dict(choices)
        if "repeat" in automatic:
            choices, note = with_repeat(choices, values, dataset)
            notes = [*notes, *note]
        if "tune" in automatic:
            choices = {**choices, "tune": automatic_tune(given, values, dataset)}
        content, wrong = typed(choices, values, experiment)
    problems += wrong
    metric, said = _automatic_metric(content["metric"], dataset, description)
    settings = cell_settings({**content, "dataset": plain(dataset), "metric": metric})
    notes = [*notes, *said, *_fewer_than_folds(settings, description)]
    # A weighted sum without valid terms has been reported as a problem and makes no draft.
    if not chosen_rows(settings.loss):
        return []
    return [Draft(choices, values, swept, settings, sweep_settings(content), notes, automatic)]


def with_repeat(
    choices: dict[str, str], values: dict[str, Any], dataset: DatasetSettings
) -> tuple[dict[str, str], list[str]]:
    """Return the choices with what ``repeat=auto`` means for a data set, and a note if that needs a word.

    Folds judge every row and say what to expect of another sample. Generated data have fresh samples for that, and
    seeds keep the one split of the texts that they come from. Someone who sets the size or the seed of a split asks
    for that split. With very many rows one split says as much, and twice five folds take ten times as long.
    """
    one_split = [key for key in values if key.startswith(ONE_SPLIT)]
    generated = "random_state" in dataset.parameters and not isinstance(dataset, OwnSettings)
    n_rows = n_samples(dataset)
    if generated or one_split:
        return {**choices, "repeat": SEEDS}, []
    if n_rows < MANY_ROWS or (isinstance(dataset, FileSettings) and (dataset.groups or dataset.time)):
        return {**choices, "repeat": FOLDS}, []
    note = f"{n_rows} rows: all runs have one split (repeat=folds cross-validates)"
    return {**choices, "repeat": SEEDS}, [note]


def automatic_tune(choices: dict[str, str], values: dict[str, Any], dataset: DatasetSettings) -> str:
    """Return what ``tune=auto`` means for a data set.

    A user's question is which loss to train with, and one learning rate for all answers another one. Data with a name
    keep the learning rate of the texts that they come from; whoever sets a learning rate asks for that one.
    """
    asks_for_one = "optimizer.learning_rate" in values or "tuned" in choices
    n_rows = n_samples(dataset)
    in_order = isinstance(dataset, FileSettings) and dataset.time
    if not isinstance(dataset, OwnSettings) or asks_for_one or in_order or not FEW_ROWS <= n_rows < MANY_ROWS:
        return "none"
    return "learning_rate"


def _with_model(
    choices: dict[str, str], dataset: DatasetSettings, experiment: str | None
) -> tuple[dict[str, str], list[str]]:
    """Return the choices with a network of convolutions for pictures of the user's own, and a note that says so.

    Only where nobody has chosen a network: pictures are read as well by others, as pixels or as rows of pixels.
    """
    pictures = isinstance(dataset, OwnArraysSettings) and bool(dataset.facts.shape)
    default = composed({}).model.name
    if not pictures or "model" in choices or composed({}, experiment).model.name != default:
        return choices, []
    return {**choices, "model": "cnn"}, [f"pictures: model=cnn (model={default} takes their pixels as features)"]


def _automatic_metric(
    given: str | None, dataset: DatasetSettings, description: "FileDescription | None"
) -> tuple[str | None, list[str]]:
    """Return the metric that runs are judged by where none is set, and a note if it is not the task's usual one.

    With few rows of a class the best constant is right nearly always, so by accuracy no loss can show anything.
    """
    if given is not None or description is None or description.rarest is None:
        return given, []
    (label, n), n_rows = description.rarest, n_samples(dataset)
    if n >= RARE * n_rows:
        return None, []
    share = f"{100 * n / n_rows:.2g} % of the rows ({n} of {n_rows}) are {label!r}"
    return BALANCED, [f"judged by {BALANCED}: {share} (metric=accuracy takes the share of right decisions instead)"]


def _fewer_than_folds(settings: CellSettings, description: "FileDescription | None") -> list[str]:
    """Return a warning if a class has fewer rows than there are folds, so that some folds have none to judge."""
    if settings.folds is None or description is None or description.rarest is None:
        return []
    label, n = description.rarest
    if n >= settings.folds.folds:
        return []
    said = f"class {label!r} has {n} rows for {settings.folds.folds} folds, and some folds judge none of it"
    return [f"warning: {said}; repeat.folds={n} gives each one"]


def _with_facts(content: dict[str, Any]) -> tuple[DatasetSettings, "FileDescription | None"]:
    """Return the settings of a data set, with the facts about a user's data and their description; None for others."""
    if not DATASETS[content["name"]].is_own:
        return group_settings("dataset", content), None
    # Imported only for users' data: pandas takes 0.4 s.
    from lossbench.planning.file_descriptions import with_facts

    return with_facts(content)


def _with_losses(
    choices: dict[str, str], values: dict[str, Any], experiment: str | None
) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """Return the choices with ``dataset`` and each ``loss`` named, and the losses left out, with reasons.

    ``loss=auto`` becomes the task's baseline; ``loss=all`` becomes every loss that is made for the task and whose
    domain contains the targets.
    """
    # ``all`` is no file in conf/loss, so Hydra composes with ``auto`` in its place.
    config = composed({**choices, "loss": "auto"}, experiment) if choices.get("loss") == ALL else None
    config = config or composed(choices, experiment)
    choices = {"dataset": config.dataset.name, "loss": config.loss.name, **choices}
    if choices["loss"] not in ("auto", ALL):
        return [choices], []
    dataset = _dataset_of(choices, values, experiment)
    info = described(dataset)
    if choices["loss"] == "auto":
        return [{**choices, "loss": BASELINES[info.task]}], []
    named = dataset_name(choices["dataset"], dataset)
    reasons = why_left_out(info, dataset, choices.get("head", "auto"))
    kept = [{**choices, "loss": name} for name, reason in reasons.items() if not reason]
    return kept, [(f"{named}/{name}", reason) for name, reason in reasons.items() if reason]


def _dataset_of(choices: dict[str, str], values: dict[str, Any], experiment: str | None) -> DatasetSettings:
    """Return the settings of the data set as far as they decide which losses fit, with the given values set.

    Raises
    ------
    UsageError
        If these are the user's own data, with a problem.
    """
    dataset = to_container(composed({**choices, "loss": "auto"}, experiment).dataset)
    info = DATASETS[dataset["name"]]
    if info.is_own:
        own = {key: value for key, value in values.items() if key.startswith("dataset.")}
        content, problems = typed({**choices, "loss": "auto"}, own, experiment)
        if problems:
            raise UsageError(*problems)
        return _with_facts(content["dataset"])[0]
    for key, value in values.items():
        if key == "dataset.standardize.y":
            dataset["standardize"]["y"] = value
        elif key == f"dataset.{info.n_outputs}":
            dataset[str(info.n_outputs)] = value
    return group_settings("dataset", dataset)


def _why_outside(info: DatasetInfo, loss: Loss, target_range: tuple[float, float]) -> str:
    """Return why targets lie outside a loss's domain, and whether unscaled they would not; '' if they lie inside."""
    encoding = loss.encodings[info.task][0]
    reason = outside_domain(loss, encoding, target_range, ordered=info.ordered)
    if not reason or outside_domain(loss, encoding, info.target_range, ordered=info.ordered):
        return reason
    return f"for {loss.domain}; without scaling they are: dataset.standardize.y=none"


def why_left_out(info: DatasetInfo, dataset: DatasetSettings, head: str) -> dict[str, str]:
    """Return the reason for which ``loss=all`` leaves out each loss on a data set; '' for the losses it includes."""
    taken, target_range = losses_for(info.task, head), scaled_target_range(info, dataset)

    def reason(name: str, loss: Loss) -> str:
        if name not in taken and info.task not in loss.encodings:
            return f"for other targets than {TASKS[info.task]}"
        if name not in taken and head == "auto":
            return f"for other targets than {TASKS[info.task]}; by name it can be used"
        if name not in taken:
            return f"not for head={head}"
        if loss.least_targets > n_outputs(info, dataset):
            return f"for targets of at least {loss.least_targets} numbers"
        return _why_outside(info, loss, target_range)

    return {name: reason(name, loss) for name, loss in LOSSES.items() if loss.heads}
