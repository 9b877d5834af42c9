"""The settings of a cell and of a sweep, as types.

Values stand in ``conf/`` and nowhere else; planning composes, normalises and validates them, and from then on they are
frozen. ``plain`` and ``cell_settings`` lead from the types to dicts, as ``plan.json`` and a cell's key have them, and
back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

# Names of choices that have settings of their own.
FILE, COMPOSITE, CUSTOM = "csv", "composite", "custom"


# A mapping whose entries stand beside the other settings: ``optimizer.momentum``.
FLAT = {"flat": True}
# A field that planning fills in: no user sets it, and the plain form leaves it out while it is empty.
FOUND = {"found": True}
# A name that ``conf/`` leaves open; planning refuses to go on without it.
OPEN = {"open": True}


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How many samples train, choose and judge: counts, or shares of all.

    They are taken in this order: from the rows as they are if ``seed`` is null, else from rows shuffled with it, each
    class in its share.
    """

    train: int | float
    validation: int | float
    test: int | float
    seed: int | None


@dataclass(frozen=True, kw_only=True)
class StandardizeSettings:
    """How features (x) and targets (y) are scaled, on which rows that is fitted, and in which unit metrics are."""

    x: str
    y: str
    fitted_on: str
    metrics: str


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """A data set; ``parameters`` are what its generator is given by name."""

    name: str
    split: SplitSettings
    standardize: StandardizeSettings
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What planning found in a user's file, and jobs rely on.

    Attributes
    ----------
    digest : str
        Of the file; another one fails the job.
    n_samples, n_outputs : int
        The rows that are used; the classes, labels or numbers of a target.
    target_range : list of float
        The least and the greatest target.
    labels : list of str
        The classes in the order of their numbers; empty for numbers.
    numbers, categories : list of str
        The columns that are features, as they are and encoded.
    left_out : dict
        Each other column to the reason.
    """

    digest: str
    n_samples: int
    n_outputs: int
    target_range: list[float]
    labels: list[str]
    numbers: list[str]
    categories: list[str]
    left_out: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class FileSettings(DatasetSettings):
    """A file of the user's: where it is, what is to be predicted, and how its text is read."""

    path: str = field(metadata=OPEN)
    target: list[str]
    task: str
    ordered: bool
    leave_out: list[str]
    categorical: list[str]
    max_levels: int
    missing: str
    missing_values: list[str]
    sep: str
    decimal: str
    encoding: str
    file: FileFacts | None = field(default=None, metadata=FOUND)

    @property
    def facts(self) -> FileFacts:
        """What planning found in the file."""
        assert self.file is not None, "planning describes a file before anything else reads its settings"
        return self.file


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """The output layer, and how targets are encoded for it (``auto``: as is usual for it)."""

    name: str
    encoding: str


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """A loss of the catalogue with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class CompositeLossSettings:
    """A weighted sum: each of its losses to its weight and parameters."""

    name: str
    terms: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class CustomLossSettings:
    """The user's own function, and what it must be told about the targets."""

    name: str
    function: str = field(metadata=OPEN)
    task: str
    encoding: str
    head: str
    parameters: Mapping[str, float]
    digest: str = field(default="", metadata=FOUND)


AnyLossSettings = LossSettings | CompositeLossSettings | CustomLossSettings


@dataclass(frozen=True, kw_only=True)
class MlpSettings:
    """A multi-layer perceptron: one number of units a hidden layer."""

    name: str
    hidden_units: list[int]
    activation: str
    initializer: str
    l2: float
    dropout: float
    batch_normalization: bool
    # Cells from before there were these two do not have them.
    initializer_scale: float = 1.0
    output_scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class LinearSettings:
    """No hidden layer: linear, logistic or softmax regression."""

    name: str


@dataclass(frozen=True, kw_only=True)
class CnnSettings:
    """Convolutions with pooling, one number of filters each, then fully connected layers."""

    name: str
    shape: list[int] | None
    filters: list[int]
    kernel_size: int
    pooling: int
    hidden_units: list[int]
    activation: str
    initializer: str


@dataclass(frozen=True, kw_only=True)
class RnnSettings:
    """A recurrent network, one number of units a layer."""

    name: str
    shape: list[int] | None
    cell: str
    units: list[int]


@dataclass(frozen=True, kw_only=True)
class CustomModelSettings:
    """A function of the user's own that returns a Keras model or layer: what stands before the output layer."""

    name: str
    function: str = field(metadata=OPEN)
    parameters: Mapping[str, Any]
    shape: list[int] | None
    digest: str = field(default="", metadata=FOUND)


ModelSettings = MlpSettings | LinearSettings | CnnSettings | RnnSettings | CustomModelSettings


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """An optimizer of Keras, under its names, and how its gradients are clipped."""

    name: str
    learning_rate: float
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """The learning rate from step to step, after a warm-up."""

    name: str
    warmup_epochs: int


@dataclass(frozen=True, kw_only=True)
class FallingScheduleSettings(ScheduleSettings):
    """A learning rate that falls to ``final`` times its highest value."""

    final: float


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings:
    """When a run ends before its last epoch, judged by the main metric on the validation split."""

    patience: int | None
    min_delta: float


@dataclass(frozen=True, kw_only=True)
class NoCorruptionSettings:
    """The training split as it is."""

    name: str


@dataclass(frozen=True, kw_only=True)
class LabelNoiseSettings:
    """A share of the training labels exchanged for other classes."""

    name: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class OutliersSettings:
    """A share of the training targets moved far up or down."""

    name: str
    rate: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class ImbalanceSettings:
    """Only a share of one class's training samples kept."""

    name: str
    share: float
    rare_class: int | None


CorruptionSettings = NoCorruptionSettings | LabelNoiseSettings | OutliersSettings | ImbalanceSettings


@dataclass(frozen=True, kw_only=True)
class NoTuneSettings:
    """The learning rate is the optimizer's."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """The study that chooses a cell's learning rate."""

    name: str
    trials: int
    batch: int
    low: float
    high: float
    sampler: str
    seeds: list[int]
    validation: float
    metric: str | None
    space: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class CellSettings:
    """What makes the numbers of a cell, and nothing else: seeds, names, tracking and the launcher are not in it."""

    dataset: DatasetSettings
    head: HeadSettings
    loss: AnyLossSettings
    model: ModelSettings
    optimizer: OptimizerSettings
    schedule: ScheduleSettings
    corruption: CorruptionSettings
    epochs: int
    batch_size: int
    evaluate_every: int
    early_stopping: EarlyStoppingSettings
    select: str
    trainer: str
    tune: NoTuneSettings | TuneSettings

    @property
    def is_tuned(self) -> bool:
        """Whether a study chooses its learning rate."""
        return isinstance(self.tune, TuneSettings)

    @property
    def study(self) -> TuneSettings:
        """The settings of its study."""
        assert isinstance(self.tune, TuneSettings), "only a tuned cell has a study"
        return self.tune

    @property
    def is_corrupted(self) -> bool:
        """Whether its runs get a training split that is made worse."""
        return not isinstance(self.corruption, NoCorruptionSettings)


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """Whether runs go to MLflow, where that is, and whose networks are kept there as models."""

    enabled: bool
    uri: str | None
    models: str


@dataclass(frozen=True, kw_only=True)
class MarginSettings:
    """Differences of the main metrics that do not matter: of accuracies; of rmse as a share of the baseline's."""

    accuracy: float
    subset_accuracy: float
    rmse: float


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """What is shown, what losses are compared with, and when a difference is too small to matter."""

    recommend: bool
    metrics: list[str]
    baseline: str | None
    margin: float | None
    margins: MarginSettings
    allow_missing: bool


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """What is said once for all cells of a sweep."""

    seeds: list[int]
    name: str | None
    plan: bool
    rerun: str
    tracking: TrackingSettings
    report: ReportSettings


MODELS: dict[str, type] = {
    "mlp": MlpSettings,
    "linear": LinearSettings,
    "cnn": CnnSettings,
    "rnn": RnnSettings,
    CUSTOM: CustomModelSettings,
}
SCHEDULES: dict[str, type] = {
    "constant": ScheduleSettings,
    "cosine": FallingScheduleSettings,
    "exponential": FallingScheduleSettings,
}
CORRUPTIONS: dict[str, type] = {
    "none": NoCorruptionSettings,
    "label_noise": LabelNoiseSettings,
    "outliers": OutliersSettings,
    "imbalance": ImbalanceSettings,
}
TUNES: dict[str, type] = {"none": NoTuneSettings, "learning_rate": TuneSettings}
# The groups whose choices have no type of their own, and theirs.
_OTHERS: dict[str, tuple[dict[str, type], type]] = {
    "dataset": ({FILE: FileSettings}, DatasetSettings),
    "head": ({}, HeadSettings),
    "loss": ({COMPOSITE: CompositeLossSettings, CUSTOM: CustomLossSettings}, LossSettings),
    "optimizer": ({}, OptimizerSettings),
}
_NAMED = {"model": MODELS, "schedule": SCHEDULES, "corruption": CORRUPTIONS, "tune": TUNES}
GROUPS_OF_A_CELL = ("dataset", "head", "loss", "model", "optimizer", "schedule", "corruption", "tune")
_NESTED = {
    "split": SplitSettings,
    "standardize": StandardizeSettings,
    "file": FileFacts,
    "early_stopping": EarlyStoppingSettings,
    "tracking": TrackingSettings,
    "report": ReportSettings,
    "margins": MarginSettings,
}


def settings_type(group: str, name: str) -> type:
    """Return the type of a group's settings when ``name`` is chosen.

    Raises
    ------
    KeyError
        If the group has no such name; a data set, loss, head or optimizer is not looked up here.
    """
    if group in _NAMED:
        return _NAMED[group][name]
    own, common = _OTHERS[group]
    return own.get(name, common)


Settings = TypeVar("Settings")


def _typed(kind: type[Settings], content: Mapping[str, Any]) -> Settings:
    """Return content as a type; what it does not name is put into its flat mapping, if it has one."""
    names = {f.name for f in fields(kind) if not f.metadata.get("flat")}  # type: ignore[arg-type]
    flat = [f.name for f in fields(kind) if f.metadata.get("flat")]  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for name, value in content.items():
        if name in names:
            given[name] = _typed(_NESTED[name], value) if name in _NESTED and isinstance(value, Mapping) else value
    if flat:
        given[flat[0]] = {name: value for name, value in content.items() if name not in names}
    return kind(**given)


def group_settings(group: str, content: Mapping[str, Any]) -> Any:
    """Return the plain settings of a group as its type."""
    return _typed(settings_type(group, content["name"]), content)


def cell_settings(content: Mapping[str, Any]) -> CellSettings:
    """Return the plain settings of a cell as a type; what is not a cell's is passed over.

    Raises
    ------
    KeyError, TypeError
        If a setting is missing.
    """
    groups = {group: group_settings(group, content[group]) for group in GROUPS_OF_A_CELL}
    return _typed(CellSettings, {**content, **groups})


def sweep_settings(content: Mapping[str, Any]) -> SweepSettings:
    """Return the plain settings of a sweep as a type."""
    return _typed(SweepSettings, content)


def report_settings(content: Mapping[str, Any]) -> ReportSettings:
    """Return the plain settings of a report as a type."""
    return _typed(ReportSettings, content)


def tracking_settings(content: Mapping[str, Any]) -> TrackingSettings:
    """Return the plain settings of tracking as a type."""
    return _typed(TrackingSettings, content)


def plain(settings: Any) -> Any:
    """Return settings as dicts, lists and values: what a user could have written, and what planning found."""
    if is_dataclass(settings):
        result: dict[str, Any] = {}
        for each in fields(settings):
            value = getattr(settings, each.name)
            if each.metadata.get("flat"):
                result |= plain(value)
            elif not each.metadata.get("found") or value:
                result[each.name] = plain(value)
        return result
    if isinstance(settings, Mapping):
        return {name: plain(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [plain(value) for value in settings]
    return settings


def keys_of(kind: type) -> tuple[str, ...]:
    """Return the dotted keys of a type of settings, such as ``tracking.uri``."""
    keys: list[str] = []
    for each in fields(kind):
        nested = _NESTED.get(each.name)
        keys += [f"{each.name}.{key}" for key in keys_of(nested)] if nested else [each.name]
    return tuple(keys)


def read_setting(settings: Any, key: str) -> Any:
    """Return a setting by its dotted key: ``optimizer.momentum``, ``loss.terms.huber.delta``.

    Raises
    ------
    KeyError
        If there is none.
    """
    found = plain(settings)
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            raise KeyError(key)
        found = found[part]
    return found


def has_setting(settings: Any, key: str) -> bool:
    """Say whether there is a setting of this dotted key."""
    try:
        read_setting(settings, key)
    except KeyError:
        return False
    return True


def with_values(settings: CellSettings, values: Mapping[str, Any]) -> CellSettings:
    """Return a cell's settings with values put in by their dotted keys; one number for a list of layers is a layer."""
    content = plain(settings)
    for key, value in values.items():
        *groups, name = key.split(".")
        node = content
        for group in groups:
            node = node[group]
        node[name] = [value] if isinstance(node.get(name), list) and isinstance(value, int) else value
    return cell_settings(content)
