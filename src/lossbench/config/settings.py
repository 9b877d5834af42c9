"""The types of the settings of a cell and of a sweep.

Default values live in ``conf/``, not here. Planning composes, normalises and
validates settings, and every step returns new ones, because they are frozen. ``plain`` turns settings into dicts, for
``plan.json`` and cell keys; ``cell_settings`` and its like turn dicts back into settings.

``lossbench-list`` prints the first line of a choice's docstring, so it has no markup.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from lossbench.ground.run_ids import RunId

# Choices whose settings have a type of their own in groups that otherwise share one type.
FILE, COMPOSITE, CUSTOM = "csv", "composite", "custom"
NPZ, PICTURES = "npz", "pictures"
# What a cell's runs repeat; ``auto`` is one of the others, which planning chooses.
AUTO, SEEDS, FOLDS, SAMPLES = "auto", "seeds", "folds", "samples"


# Field markers, read by ``plain``, ``_typed`` and ``planning.schema``.
# FLAT: in the plain form the entries of this mapping stand beside the other settings: ``optimizer.momentum``, not
# ``optimizer.parameters.momentum``.
FLAT = {"flat": True}
# FOUND: planning fills this field in; users cannot set it. The plain form omits it while it is empty.
FOUND = {"found": True}
# OPTIONAL: null unless the user sets it. The plain form omits it while it is null, so earlier cells keep their keys.
OPTIONAL = {"optional": True}
# OPEN: null in ``conf/``, and the user must set it; planning reports an error otherwise.
OPEN = {"open": True}


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """The sizes of the training, validation and test splits: counts, or shares of all rows.

    The splits take consecutive rows in this order. With ``seed`` null the rows keep the order of the data; with a
    number they are shuffled first, and classes are stratified: each split gets each class in proportion.
    """

    train: int | float
    validation: int | float
    test: int | float
    seed: int | None


@dataclass(frozen=True, kw_only=True)
class StandardizeSettings:
    """The scaling of features (x) and targets (y), the rows that fit it, and the unit in which metrics are computed."""

    x: str
    y: str
    fitted_on: str
    metrics: str


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """A data set; ``parameters`` are the keyword arguments of its generator."""

    name: str
    split: SplitSettings
    standardize: StandardizeSettings
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class OwnFacts:
    """The facts about a user's own data that planning finds, so that jobs need not infer them again.

    Attributes
    ----------
    digest : str
        Hash of the data. A job fails if they have another one by then.
    n_samples : int
        The number of rows used.
    n_outputs : int
        The number of classes, of labels, or of target columns.
    target_range : list of float
        The least and the greatest target.
    labels : list of str
        Class names, ordered by class number; names of the target columns for several labels or shares; empty for
        numbers.
    """

    digest: str
    n_samples: int
    n_outputs: int
    target_range: list[float]
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class ArrayFacts(OwnFacts):
    """The facts about arrays of the user's own.

    Attributes
    ----------
    n_features : int
        The number of features of a sample; of a picture that of its pixels, times its channels.
    shape : list of int
        Height, width and channels of pictures; empty for rows of features.
    """

    n_features: int
    shape: list[int]


@dataclass(frozen=True, kw_only=True)
class FileFacts(OwnFacts):
    """The facts about a user's table.

    Attributes
    ----------
    numbers, categories : list of str
        The feature columns: numeric ones, and one-hot encoded ones.
    left_out : dict
        The columns that are not used, each with the reason.
    n_groups, n_times : int
        The number of different groups, or times, of the rows; 0 without such a column.
    readings : dict
        How the cells of used columns are read that are not taken as they are; see ``datasets.user_file.cells``.
    sep : str
        The separator that the first line of the file names; '' without such a line.
    n_above : int
        The number of lines above the header that are passed over.
    prose : dict
        The feature columns of running text, each with the number of words that are made features.
    """

    numbers: list[str]
    categories: list[str]
    left_out: Mapping[str, str]
    n_groups: int = field(default=0, metadata=FOUND)
    n_times: int = field(default=0, metadata=FOUND)
    # Empty ones are omitted, so that other files' cells keep their keys.
    readings: Mapping[str, str] = field(default_factory=dict, metadata=FOUND)
    sep: str = field(default="", metadata=FOUND)
    n_above: int = field(default=0, metadata=FOUND)
    prose: Mapping[str, int] = field(default_factory=dict, metadata=FOUND)


@dataclass(frozen=True, kw_only=True)
class OwnSettings(DatasetSettings):
    """Data of the user's own, which planning reads: only they tell their task.

    Where ``task`` or ``ordered`` can be set, a kind of data declares them again.
    """

    task: str = field(default="", metadata=FOUND)
    ordered: bool = field(default=False, metadata=FOUND)

    @property
    def label(self) -> str:
        """What the data set is called in names of cells and in tables."""
        raise NotImplementedError

    @property
    def facts(self) -> OwnFacts:
        """The facts about the data, which planning must have found before."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FileSettings(OwnSettings):
    """A user's CSV or Parquet file: its path, target and columns, and how to read its text.

    Rows of one group (``groups`` names the column) are never in the training and the test rows of a fold both; with a
    column of times (``time``) each fold is judged on rows later than those that it trains on.
    """

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
    # A default, because plans written before this setting existed do not contain it.
    max_words: int = 0
    groups: str | None = field(default=None, metadata=OPTIONAL)
    time: str | None = field(default=None, metadata=OPTIONAL)
    file: FileFacts | None = field(default=None, metadata=FOUND)

    @property
    def label(self) -> str:
        """The name of the file."""
        return Path(self.path).name

    @property
    def not_features(self) -> list[str]:
        """The columns that are no features because a setting names them."""
        return [*self.target, *self.leave_out, *filter(None, (self.groups, self.time))]

    @property
    def facts(self) -> FileFacts:
        """The facts about the file, which planning must have found before."""
        assert self.file is not None, "planning describes a file before anything else reads its settings"
        return self.file


@dataclass(frozen=True, kw_only=True)
class OwnArraysSettings(OwnSettings):
    """Arrays of the user's own: samples and their targets, without names of columns."""

    data: ArrayFacts | None = field(default=None, metadata=FOUND)

    @property
    def facts(self) -> ArrayFacts:
        """The facts about the arrays, which planning must have found before."""
        assert self.data is not None, "planning describes arrays before anything else reads their settings"
        return self.data

    @property
    def on_missing(self) -> str:
        """What is done about features without a value, as ``missing`` of a file."""
        return "error"


@dataclass(frozen=True, kw_only=True)
class NpzSettings(OwnArraysSettings):
    """A user's .npz file of NumPy's: the names of its arrays of samples and of targets."""

    path: str = field(metadata=OPEN)
    x: str
    y: str
    task: str
    ordered: bool
    missing: str

    @property
    def label(self) -> str:
        """The name of the file."""
        return Path(self.path).name

    @property
    def on_missing(self) -> str:
        """What is done about features without a value."""
        return self.missing


@dataclass(frozen=True, kw_only=True)
class PicturesSettings(OwnArraysSettings):
    """A user's folder of pictures: each of its folders holds those of a class."""

    path: str = field(metadata=OPEN)
    size: int | list[int] | None
    colour: str

    @property
    def label(self) -> str:
        """The name of the folder."""
        return Path(self.path).name


@dataclass(frozen=True, kw_only=True)
class CustomDatasetSettings(OwnArraysSettings):
    """The user's own function, which returns samples and targets."""

    function: str = field(metadata=OPEN)
    parameters: Mapping[str, Any]
    task: str
    ordered: bool
    missing: str
    digest: str = field(default="", metadata=FOUND)

    @property
    def label(self) -> str:
        """The name of the function, with its module."""
        return self.function.replace(":", ".")

    @property
    def on_missing(self) -> str:
        """What is done about features without a value."""
        return self.missing


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """The output layer, and the encoding of its targets (``auto``: the head's first that suits the loss)."""

    name: str
    encoding: str


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """A loss of the catalogue with its parameters."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class CompositeLossSettings:
    """A weighted sum of losses; ``terms`` maps each loss to its weight and parameters."""

    name: str
    terms: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class CustomLossSettings:
    """The user's own loss function, with its task, target encoding and default head."""

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
    """A multi-layer perceptron: one or more fully connected hidden layers."""

    name: str
    hidden_units: list[int]
    activation: str
    initializer: str
    l2: float
    dropout: float
    batch_normalization: bool
    # Defaults, because plans written before these two settings existed do not contain them.
    initializer_scale: float = 1.0
    output_scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class LinearSettings:
    """No hidden layer: linear, logistic or softmax regression."""

    name: str


@dataclass(frozen=True, kw_only=True)
class CnnSettings:
    """Convolutions, each followed by max pooling, then fully connected layers."""

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
    """A recurrent network: one or more recurrent layers."""

    name: str
    shape: list[int] | None
    cell: str
    units: list[int]


@dataclass(frozen=True, kw_only=True)
class CustomModelSettings:
    """The user's own function; it returns a Keras model or layer, to which the output layer is added."""

    name: str
    function: str = field(metadata=OPEN)
    parameters: Mapping[str, Any]
    shape: list[int] | None
    digest: str = field(default="", metadata=FOUND)


ModelSettings = MlpSettings | LinearSettings | CnnSettings | RnnSettings | CustomModelSettings


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """An optimizer with Keras's parameter names, and its gradient clipping."""

    name: str
    learning_rate: float
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=FLAT)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """A constant learning rate, after an optional linear warm-up."""

    name: str
    warmup_epochs: int


@dataclass(frozen=True, kw_only=True)
class FallingScheduleSettings(ScheduleSettings):
    """A learning rate that falls to a share of its highest value, after an optional linear warm-up."""

    final: float


@dataclass(frozen=True, kw_only=True)
class EarlyStoppingSettings:
    """Early stopping by the main metric on the validation split; off if ``patience`` is null."""

    patience: int | None
    min_delta: float


@dataclass(frozen=True, kw_only=True)
class NoCorruptionSettings:
    """The training split is left as it is."""

    name: str


@dataclass(frozen=True, kw_only=True)
class LabelNoiseSettings:
    """A share of the training labels is replaced by other classes."""

    name: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class OutliersSettings:
    """A share of the training targets is moved up or down at random, by ``scale`` standard deviations."""

    name: str
    rate: float
    scale: float


@dataclass(frozen=True, kw_only=True)
class ImbalanceSettings:
    """Only a share of one class's training samples is kept."""

    name: str
    share: float
    rare_class: int | None


CorruptionSettings = NoCorruptionSettings | LabelNoiseSettings | OutliersSettings | ImbalanceSettings


@dataclass(frozen=True, kw_only=True)
class RepeatSettings:
    """What differs between the runs of a cell, besides initial weights and batch order.

    ``default_seeds`` is the number of seeds where ``seeds`` gives none; it is no part of a cell's key.
    """

    name: str
    # A default, because plans written before this setting existed do not contain it.
    default_seeds: int = 0

    @property
    def has_own_rows(self) -> bool:
        """Whether runs have training and test rows of their own, instead of all having the same."""
        return False

    def runs(self, seeds: list[int]) -> list[RunId]:
        """Return the runs of a cell, in the order in which they are trained and listed."""
        return [RunId(seed) for seed in seeds]


@dataclass(frozen=True, kw_only=True)
class AutoSettings:
    """Folds for your files and for real data, seeds for generated data and where one split is set or rows are many."""

    name: str


@dataclass(frozen=True, kw_only=True)
class SeedsSettings(RepeatSettings):
    """The same training and test rows for all runs: verdicts are about new rows for networks trained on these."""


@dataclass(frozen=True, kw_only=True)
class SamplesSettings(RepeatSettings):
    """A fresh sample from the generator for each run, training and test rows: verdicts are about the generator."""

    @property
    def has_own_rows(self) -> bool:
        """Whether runs have training and test rows of their own: they have."""
        return True


@dataclass(frozen=True, kw_only=True)
class FoldsSettings(RepeatSettings):
    """Repeated cross-validation, every row is a test row once a repetition: verdicts are about another such sample.

    ``seed`` determines which rows make a fold. The folds are the same for all losses, and those of a repetition do not
    depend on how many there are.
    """

    repetitions: int
    folds: int
    seed: int

    @property
    def has_own_rows(self) -> bool:
        """Whether runs have training and test rows of their own: they have."""
        return True

    @property
    def of_all_rows(self) -> RunId:
        """The run that is trained on all rows and judged on none: the network that is kept for new rows."""
        return RunId(0)

    def number(self, run: RunId) -> int:
        """Return the number of a run's fold, counted through all repetitions."""
        assert run.split is not None, "every run of a cross-validation has a fold"
        return run.split[0] * self.folds + run.split[1]

    def runs(self, seeds: list[int]) -> list[RunId]:
        """Return the runs of a cell: each seed in each fold of each repetition."""
        places = itertools.product(range(self.repetitions), range(self.folds), seeds)
        return [RunId(seed, repetition, fold) for repetition, fold, seed in places]


@dataclass(frozen=True, kw_only=True)
class AutoTuneSettings:
    """A search for files of yours, none elsewhere: see the choices none and learning_rate."""

    name: str


@dataclass(frozen=True, kw_only=True)
class NoTuneSettings:
    """No search: the cell trains with ``optimizer.learning_rate``."""

    name: str


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What all studies have: a budget, a range, a sampler, a metric, and the settings that are searched."""

    name: str
    trials: int
    batch: int
    low: float
    high: float
    sampler: str
    seeds: list[int]
    metric: str | None
    space: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TuneSettings(StudySettings):
    """A study chooses the cell's learning rate by folds of its training rows, before its runs are trained."""

    folds: int
    repetitions: int
    widen: bool

    @property
    def n_trainings(self) -> int:
        """The number of trainings of a trial."""
        return self.folds * self.repetitions


@dataclass(frozen=True, kw_only=True)
class HoldoutTuneSettings(StudySettings):
    """A study of earlier versions: every trial was trained with each seed, and judged on one holdout; only read."""

    validation: float

    @property
    def n_trainings(self) -> int:
        """The number of trainings of a trial."""
        return len(self.seeds)


@dataclass(frozen=True, kw_only=True)
class CellSettings:
    """All settings that affect a cell's results, and no others.

    The cell's key is a hash of them, so seeds, names, tracking and the launcher must not be here.
    """

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
    tune: NoTuneSettings | TuneSettings | HoldoutTuneSettings
    # Earlier cells do not have it.
    repeat: RepeatSettings = SeedsSettings(name=SEEDS)
    # The metric that runs are judged by; None is that of the task.
    metric: str | None = field(default=None, metadata=OPTIONAL)

    @property
    def is_tuned(self) -> bool:
        """Whether a study chooses the cell's learning rate."""
        return not isinstance(self.tune, NoTuneSettings)

    @property
    def study(self) -> TuneSettings | HoldoutTuneSettings:
        """The settings of the cell's study; only a tuned cell has one."""
        assert not isinstance(self.tune, NoTuneSettings), "only a tuned cell has a study"
        return self.tune

    @property
    def draws_samples(self) -> bool:
        """Whether each run has a sample of its own from the generator."""
        return self.repeat.name == SAMPLES

    @property
    def folds(self) -> FoldsSettings | None:
        """The cross-validation whose folds the runs are trained and judged in; None if they are of none."""
        return self.repeat if isinstance(self.repeat, FoldsSettings) else None

    @property
    def is_corrupted(self) -> bool:
        """Whether the training split of the cell's runs is corrupted."""
        return not isinstance(self.corruption, NoCorruptionSettings)


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """Whether runs are tracked in MLflow, its URI, and which cells' networks are stored there as models."""

    enabled: bool
    uri: str | None
    models: str


@dataclass(frozen=True, kw_only=True)
class MarginSettings:
    """The margin of each metric that runs can be judged by: a difference, or of an error a share of the baseline's."""

    accuracy: float
    subset_accuracy: float
    rmse: float
    # Defaults, because plans written before ``metric`` existed do not contain these; their tables do not need them.
    balanced_accuracy: float = 0.0
    f1: float = 0.0
    matthews: float = 0.0
    class_mae: float = 0.0
    hamming_loss: float = 0.0
    mse: float = 0.0
    mae: float = 0.0
    pinball: float = 0.0
    r2: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """The metrics shown, what is compared with which baseline, the margins, and what stands beside and below."""

    recommend: bool
    metrics: list[str]
    baseline: str | None
    margin: float | None
    margins: MarginSettings
    allow_missing: bool
    # Earlier plans do not have these two.
    yardsticks: bool = False
    compare: str | None = "loss"


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The settings that all cells of a sweep share."""

    seeds: list[int]
    name: str | None
    plan: bool
    rerun: str
    timeout: float | None
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
REPEATS: dict[str, type] = {AUTO: AutoSettings, SEEDS: SeedsSettings, FOLDS: FoldsSettings, SAMPLES: SamplesSettings}
TUNES: dict[str, type] = {AUTO: AutoTuneSettings, "none": NoTuneSettings, "learning_rate": TuneSettings}
# The groups whose choices share one type, with the exceptions that have another type.
_OTHERS: dict[str, tuple[dict[str, type], type]] = {
    "dataset": (
        {FILE: FileSettings, NPZ: NpzSettings, PICTURES: PicturesSettings, CUSTOM: CustomDatasetSettings},
        DatasetSettings,
    ),
    "head": ({}, HeadSettings),
    "loss": ({COMPOSITE: CompositeLossSettings, CUSTOM: CustomLossSettings}, LossSettings),
    "optimizer": ({}, OptimizerSettings),
}
_NAMED = {"model": MODELS, "schedule": SCHEDULES, "corruption": CORRUPTIONS, "tune": TUNES, "repeat": REPEATS}
GROUPS_OF_A_CELL = ("dataset", "head", "loss", "model", "optimizer", "schedule", "corruption", "tune", "repeat")
_NESTED = {
    "split": SplitSettings,
    "standardize": StandardizeSettings,
    "file": FileFacts,
    "data": ArrayFacts,
    "early_stopping": EarlyStoppingSettings,
    "tracking": TrackingSettings,
    "report": ReportSettings,
    "margins": MarginSettings,
}


def settings_type(group: str, name: str) -> type:
    """Return the type of the settings of a choice, such as ``MlpSettings`` for the group ``model`` and ``mlp``.

    Raises
    ------
    KeyError
        If a model, schedule, corruption or tune has no such choice. For data sets, losses, heads and optimizers, any
        unknown name gets the common type: the catalogues check their names.
    """
    if group in _NAMED:
        return _NAMED[group][name]
    own, common = _OTHERS[group]
    return own.get(name, common)


Settings = TypeVar("Settings")


def _typed(kind: type[Settings], content: Mapping[str, Any]) -> Settings:
    """Return plain content as a dataclass; keys that are no field go into its FLAT mapping, or are dropped."""
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
    """Return the plain settings of a group as a dataclass."""
    earlier = group == "tune" and "validation" in content
    return _typed(HoldoutTuneSettings if earlier else settings_type(group, content["name"]), content)


def cell_settings(content: Mapping[str, Any]) -> CellSettings:
    """Return the plain settings of a cell as a dataclass; other keys are ignored.

    Raises
    ------
    KeyError, TypeError
        If a setting is missing.
    """
    groups = {group: group_settings(group, content[group]) for group in GROUPS_OF_A_CELL if group in content}
    return _typed(CellSettings, {**content, **groups})


def sweep_settings(content: Mapping[str, Any]) -> SweepSettings:
    """Return a sweep's settings, given as dicts, lists and values, as a dataclass."""
    return _typed(SweepSettings, content)


def report_settings(content: Mapping[str, Any]) -> ReportSettings:
    """Return the plain settings of a report as a dataclass."""
    return _typed(ReportSettings, content)


def tracking_settings(content: Mapping[str, Any]) -> TrackingSettings:
    """Return the plain settings of tracking as a dataclass."""
    return _typed(TrackingSettings, content)


def plain(settings: Any) -> Any:
    """Return settings as dicts, lists and values, in the form of ``conf/``; non-empty FOUND fields are included."""
    if is_dataclass(settings):
        result: dict[str, Any] = {}
        for each in fields(settings):
            value = getattr(settings, each.name)
            if each.metadata.get("flat"):
                result |= plain(value)
            elif value or not (each.metadata.get("found") or each.metadata.get("optional")):
                result[each.name] = plain(value)
        return result
    if isinstance(settings, Mapping):
        return {name: plain(value) for name, value in settings.items()}
    if isinstance(settings, list | tuple):
        return [plain(value) for value in settings]
    return settings


def keys_of(kind: type) -> tuple[str, ...]:
    """Return the dotted keys of a settings type, such as ``tracking.uri``."""
    keys: list[str] = []
    for each in fields(kind):
        nested = _NESTED.get(each.name)
        keys += [f"{each.name}.{key}" for key in keys_of(nested)] if nested else [each.name]
    return tuple(keys)


def read_setting(settings: Any, key: str) -> Any:
    """Return the value of a dotted key, such as ``optimizer.momentum`` or ``loss.terms.huber.delta``.

    Raises
    ------
    KeyError
        If the settings have no such key.
    """
    found = plain(settings)
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            raise KeyError(key)
        found = found[part]
    return found


def has_setting(settings: Any, key: str) -> bool:
    """Return whether the settings have this dotted key."""
    try:
        read_setting(settings, key)
    except KeyError:
        return False
    return True


def with_values(settings: CellSettings, values: Mapping[str, Any]) -> CellSettings:
    """Return a cell's settings with some values replaced.

    Parameters
    ----------
    settings : CellSettings
        The settings to start from, which stay as they are.
    values : mapping
        New values by their dotted keys. An integer for a list of layer sizes means one layer of that size.
    """
    content = plain(settings)
    for key, value in values.items():
        *groups, name = key.split(".")
        node = content
        for group in groups:
            node = node[group]
        node[name] = [value] if isinstance(node.get(name), list) and isinstance(value, int) else value
    return cell_settings(content)
