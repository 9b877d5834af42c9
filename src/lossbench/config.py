"""What a cell is told: the types of all settings, and what their values must be.

Types stand here, values only in ``conf/``.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf

from lossbench.datasets.table import DATASETS, SCALINGS, SPLITS, described, n_outputs, split_counts
from lossbench.errors import Problem, unknown
from lossbench.heads import ENCODINGS, HEADS, TASKS
from lossbench.losses.choice import COMPOSITE, CUSTOM
from lossbench.losses.row import Loss, Parameter
from lossbench.losses.table import ALIASES, LOSSES
from lossbench.metrics.table import METRICS
from lossbench.own_functions import find_function
from lossbench.seeds import parse_seeds
from lossbench.space import study_problems

# Part of every cell's key: raise it when the same settings give other numbers than before.
RESULTS_VERSION = 1

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "selu", "silu", "softplus", "leaky_relu", "linear")
INITIALIZERS = ("he_uniform", "he_normal", "glorot_uniform", "glorot_normal", "lecun_uniform", "lecun_normal")
TRAINERS = ("compiled", "fit")
RERUNS = ("none", "failed", "all")


@dataclass
class HeadConfig:
    """The output layer, and how targets are written for it (``auto``: as is usual for it)."""

    name: str = MISSING
    encoding: str = MISSING


@dataclass
class LossConfig:
    """The loss; each of its parameters is a further key."""

    name: str = MISSING


@dataclass
class CompositeConfig(LossConfig):
    """A weighted sum: each loss in it to its weight, or to its weight and parameters."""

    terms: Any = MISSING


@dataclass
class CustomConfig(LossConfig):
    """The user's own function, and what it must be told about the targets."""

    function: str | None = MISSING
    task: str = MISSING
    encoding: str = MISSING
    head: str = MISSING
    parameters: Any = MISSING


@dataclass
class ModelConfig:
    """A network without its output layer."""

    name: str = MISSING


@dataclass
class MlpConfig(ModelConfig):
    """A multi-layer perceptron: one number of units a hidden layer."""

    hidden_units: Any = MISSING
    activation: str = MISSING
    initializer: str = MISSING
    l2: float = MISSING
    dropout: float = MISSING
    batch_normalization: bool = MISSING
    output_scale: float = MISSING


@dataclass
class LinearConfig(ModelConfig):
    """No hidden layer: linear, logistic or softmax regression."""


@dataclass
class CnnConfig(ModelConfig):
    """Convolutions with pooling, one number of filters each, then fully connected layers."""

    shape: Any = MISSING
    filters: Any = MISSING
    kernel_size: int = MISSING
    pooling: int = MISSING
    hidden_units: Any = MISSING
    activation: str = MISSING
    initializer: str = MISSING


@dataclass
class RnnConfig(ModelConfig):
    """A recurrent network, one number of units a layer."""

    shape: Any = MISSING
    cell: str = MISSING
    units: Any = MISSING


@dataclass
class CustomModelConfig(ModelConfig):
    """A function of the user's own that returns a Keras model or layer: what stands before the output layer."""

    function: str | None = MISSING
    parameters: Any = MISSING
    shape: Any = MISSING


@dataclass
class OptimizerConfig:
    """An optimizer of Keras, under its names, and how its gradients are clipped."""

    name: str = MISSING
    learning_rate: float = MISSING
    clipnorm: float | None = MISSING
    clipvalue: float | None = MISSING
    global_clipnorm: float | None = MISSING


@dataclass
class SgdConfig(OptimizerConfig):
    """Stochastic gradient descent with momentum."""

    momentum: float = MISSING
    nesterov: bool = MISSING


@dataclass
class AdamConfig(OptimizerConfig):
    """Adam: steps of each weight by the first two moments of its gradient."""

    beta_1: float = MISSING
    beta_2: float = MISSING
    epsilon: float = MISSING


@dataclass
class AdamWConfig(AdamConfig):
    """Adam with weight decay of its own."""

    weight_decay: float = MISSING


@dataclass
class NadamConfig(AdamConfig):
    """Adam with Nesterov momentum."""


@dataclass
class AdamaxConfig(AdamConfig):
    """Adam with the largest instead of the mean squared gradient."""


@dataclass
class RmspropConfig(OptimizerConfig):
    """Steps over a running root mean square of the gradient."""

    rho: float = MISSING
    momentum: float = MISSING
    epsilon: float = MISSING
    centered: bool = MISSING


@dataclass
class AdagradConfig(OptimizerConfig):
    """Steps over the root of the sum of all squared gradients."""

    initial_accumulator_value: float = MISSING
    epsilon: float = MISSING


@dataclass
class LionConfig(OptimizerConfig):
    """Steps of one size, by the sign of the momentum."""

    beta_1: float = MISSING
    beta_2: float = MISSING
    weight_decay: float = MISSING


@dataclass
class ScheduleConfig:
    """The learning rate from step to step, after a warm-up."""

    name: str = MISSING
    warmup_epochs: int = MISSING


@dataclass
class FallingConfig(ScheduleConfig):
    """A learning rate that falls to ``final`` times its highest value."""

    final: float = MISSING


@dataclass
class EarlyStoppingConfig:
    """When a run ends before its last epoch, judged by the main metric on the validation split."""

    patience: int | None = MISSING
    min_delta: float = MISSING


@dataclass
class CorruptionConfig:
    """Nothing: the training split as it is."""

    name: str = MISSING


@dataclass
class LabelNoiseConfig(CorruptionConfig):
    """A share of the training labels exchanged for other classes."""

    rate: float = MISSING


@dataclass
class OutliersConfig(CorruptionConfig):
    """A share of the training targets moved far up or down."""

    rate: float = MISSING
    scale: float = MISSING


@dataclass
class ImbalanceConfig(CorruptionConfig):
    """Only a share of one class's training samples kept."""

    share: float = MISSING
    rare_class: int | None = MISSING


@dataclass
class NoTuneConfig:
    """The learning rate is the optimizer's."""

    name: str = MISSING


@dataclass
class TuneConfig:
    """The study that chooses a cell's learning rate."""

    name: str = MISSING
    trials: int = MISSING
    batch: int = MISSING
    low: float = MISSING
    high: float = MISSING
    sampler: str = MISSING
    seeds: Any = MISSING
    validation: float = MISSING
    metric: str | None = MISSING
    space: Any = MISSING


@dataclass
class TrackingConfig:
    """Whether runs go to MLflow, and where that is."""

    enabled: bool = MISSING
    uri: str | None = MISSING


@dataclass
class MarginsConfig:
    """Differences of the main metrics that do not matter: of accuracies; of rmse as a share of the baseline's."""

    accuracy: float = MISSING
    subset_accuracy: float = MISSING
    rmse: float = MISSING


@dataclass
class ReportConfig:
    """What is shown, what losses are compared with, and when a difference is too small to matter."""

    recommend: bool = MISSING
    metrics: list[str] = MISSING
    baseline: str | None = MISSING
    margin: float | None = MISSING
    margins: MarginsConfig = field(default_factory=MarginsConfig)
    allow_missing: bool = MISSING


@dataclass
class CellConfig:
    """Everything that a job is told; the groups have types of their own (``schema``)."""

    dataset: Any = MISSING
    head: Any = MISSING
    loss: Any = MISSING
    model: Any = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    corruption: Any = MISSING
    tune: Any = MISSING
    seeds: Any = MISSING
    epochs: int = MISSING
    batch_size: int = MISSING
    evaluate_every: int = MISSING
    early_stopping: EarlyStoppingConfig = field(default_factory=EarlyStoppingConfig)
    select: str = MISSING
    trainer: str = MISSING
    name: str | None = MISSING
    plan: bool = MISSING
    rerun: str = MISSING
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    grids: list[Any] = MISSING
    published: list[Any] = MISSING
    claims: list[Any] = MISSING


OPEN_LOSSES: dict[str, type] = {COMPOSITE: CompositeConfig, CUSTOM: CustomConfig}
MODELS: dict[str, type] = {
    "mlp": MlpConfig,
    "linear": LinearConfig,
    "cnn": CnnConfig,
    "rnn": RnnConfig,
    "custom": CustomModelConfig,
}
OPTIMIZERS: dict[str, type] = {
    "sgd": SgdConfig,
    "adam": AdamConfig,
    "adamw": AdamWConfig,
    "nadam": NadamConfig,
    "adamax": AdamaxConfig,
    "rmsprop": RmspropConfig,
    "adagrad": AdagradConfig,
    "lion": LionConfig,
}
SCHEDULE_TYPES: dict[str, type] = {"constant": ScheduleConfig, "cosine": FallingConfig, "exponential": FallingConfig}
CORRUPTIONS: dict[str, type] = {
    "none": CorruptionConfig,
    "label_noise": LabelNoiseConfig,
    "outliers": OutliersConfig,
    "imbalance": ImbalanceConfig,
}
# What can be corrupted: targets of these tasks.
CORRUPTED_TASKS = {
    "label_noise": ("binary", "multiclass"),
    "outliers": ("regression",),
    "imbalance": ("binary", "multiclass"),
}
TUNES: dict[str, type] = {"none": NoTuneConfig, "learning_rate": TuneConfig}
# The groups that make a cell, and all that can be chosen.
CELL_GROUPS = ("dataset", "head", "loss", "model", "optimizer", "schedule", "corruption", "tune")
GROUPS = (*CELL_GROUPS, "tuned", "experiment")
# What makes a cell's numbers: a positive list. Seeds, tracking, names and the launcher are not in it.
KEY_SETTINGS = (
    "dataset",
    "head",
    "loss",
    "model",
    "optimizer",
    "schedule",
    "corruption",
    "epochs",
    "batch_size",
    "evaluate_every",
    "early_stopping",
    "select",
    "trainer",
    "tune",
)

# Settings of ``KEY_SETTINGS`` that change nothing.
NEUTRAL: dict[str, Any] = {
    "schedule": {"name": "constant", "warmup_epochs": 0},
    "corruption": {"name": "none"},
    "early_stopping": {"patience": None, "min_delta": 0.0},
    "select": "last",
    "tune": {"name": "none"},
}


def conf_folder() -> Path:
    """Return the folder of the shipped choices: beside ``src`` in a clone, in the package once installed."""
    installed = Path(__file__).parent / "conf"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "conf"


def report_defaults() -> dict[str, Any]:
    """Return the report's settings as they stand in ``conf/``: for plans written before there were any."""
    return OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml").report)  # type: ignore[return-value]


def home() -> Path:
    """Return the folder in which ``multirun/`` and ``mlruns/`` lie: ``LOSSBENCH_HOME``, or the working directory."""
    return Path(os.environ.get("LOSSBENCH_HOME") or ".").absolute()


def default_store() -> str:
    """Return the address of this working directory's MLflow store."""
    return f"sqlite:///{home() / 'mlruns' / 'mlflow.db'}"


def schema(group: str, name: str) -> type:
    """Return the dataclass of a group's settings when its ``name`` is chosen.

    Raises
    ------
    KeyError
        If the group has no such name.
    """
    if group == "dataset":
        return DATASETS[name].config
    if group == "head":
        return HeadConfig
    if group == "loss":
        if name in OPEN_LOSSES:
            return OPEN_LOSSES[name]
        parameters = () if name == "auto" else LOSSES[name].parameters
        fields = [(p.name, Any if p.matrix else float, field(default=MISSING)) for p in parameters]
        return make_dataclass(f"{name}Config", fields, bases=(LossConfig,))
    types = {
        "model": MODELS,
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULE_TYPES,
        "corruption": CORRUPTIONS,
        "tune": TUNES,
    }
    return types[group][name]


def is_corrupted(settings: dict[str, Any]) -> bool:
    """Say whether a cell's runs get a training split that is made worse."""
    # Plans of sweeps from before there were corruptions do not name one.
    return settings.get("corruption", {"name": "none"})["name"] != "none"


def key_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that make a cell's numbers.

    What does nothing is left out, so that results keep their keys when there is more to choose.
    """
    there = {name: settings[name] for name in KEY_SETTINGS if name in settings}
    found = {name: value for name, value in there.items() if value != NEUTRAL.get(name)}
    found["dataset"] = _dataset_content(settings["dataset"])
    if found["model"].get("output_scale") == 1.0:
        found["model"] = {name: value for name, value in found["model"].items() if name != "output_scale"}
    return found


def cell_key(settings: dict[str, Any]) -> str:
    """Return the key of a cell: a hash of the resolved settings that make its numbers."""
    content = {"version": RESULTS_VERSION, **key_settings(settings)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def untuned(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the cell that is the same but for its study."""
    return settings | {"tune": {"name": "none"}}


def _dataset_content(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what of a data set's settings makes numbers; of a file that is its digest, wherever it lies."""
    standardize = dict(settings["standardize"])
    if standardize["y"] == "none" or standardize["metrics"] == "scaled":
        del standardize["metrics"]
    return {name: value for name, value in settings.items() if name != "path"} | {"standardize": standardize}


def validate(settings: dict[str, Any]) -> list[Problem]:
    """Return all that is wrong with the values of a typed cell: ranges and combinations.

    Parameters
    ----------
    settings : dict
        A cell whose types hold; ``head`` and ``loss`` resolved, and the loss validated (``validate_loss``).
    """
    problems = _value_problems(settings)
    return problems + study_problems(settings, lambda changed: validate_loss(changed) + _value_problems(changed))


def _value_problems(settings: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with all but the study."""
    check = _Checker(settings)
    for name in ("epochs", "batch_size", "evaluate_every"):
        check.within(name, 1, 10**9)
    check.one_of("trainer", TRAINERS)
    check.one_of("rerun", RERUNS)
    _check_seeds(check)
    _check_dataset(check)
    _check_model(check)
    _check_optimizer(check)
    _check_schedule(check)
    _check_selection(check)
    _check_corruption(check)
    unknown_metrics = [name for name in settings["report"]["metrics"] if name not in METRICS]
    check.problems += [unknown("metric in report.metrics", name, METRICS) for name in unknown_metrics]
    return check.problems


def validate_loss(settings: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a typed cell's ``loss`` and ``head`` settings; writes matrices out in them."""
    check = _Checker(settings)
    check.one_of("head.encoding", ("auto", *ENCODINGS))
    dataset = settings["dataset"]
    n_classes = n_outputs(described(dataset), dataset)
    loss = settings["loss"]
    if loss["name"] == CUSTOM:
        _check_custom(check)
    elif loss["name"] == COMPOSITE:
        for name, own in loss["terms"].items():
            _check_parameters(check, f"loss.terms.{name}", LOSSES[name], own, n_classes)
            if not (_is_number(own["weight"]) and own["weight"] > 0.0):
                check.add(f"loss.terms.{name} must have a weight above 0; got {own['weight']!r}.")
    else:
        _check_parameters(check, "loss", LOSSES[loss["name"]], loss, n_classes)
    return check.problems


class _Checker:
    """Looks values up by their dotted keys and collects what is wrong."""

    def __init__(self, settings: dict[str, Any]):
        self.settings = settings
        self.problems: list[Problem] = []

    def value(self, key: str) -> Any:
        value: Any = self.settings
        for part in key.split("."):
            value = value[part]
        return value

    def add(self, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, hint))

    def within(self, key: str, low: float, high: float) -> None:
        """Both ends are allowed; NaN never is."""
        value = self.value(key)
        if not low <= value <= high:
            limit = f"at least {low:g}" if value < low else f"at most {high:g}"
            self.add(f"{key} must be {limit if not math.isnan(value) else 'a number'}; got {value:g}.")

    def one_of(self, key: str, allowed) -> None:
        if self.value(key) not in allowed:
            self.add(f"{key} must be one of {', '.join(allowed)}; got {self.value(key)!r}.")


def _check_seeds(check: _Checker) -> None:
    try:
        check.settings["seeds"] = parse_seeds(check.settings["seeds"])
    except ValueError as error:
        check.add(str(error), "seeds=30 means the seeds 0 to 29, 'seeds=[3,5]' these two, seed=3 this one.")


def _check_dataset(check: _Checker) -> None:
    settings = check.settings["dataset"]
    info = described(settings)
    for name, (low, high) in info.ranges.items():
        check.within(f"dataset.{name}", low, high)
    _check_split(check, settings.get("n_samples", info.n_samples))
    # Two of the other features of imbalanced data are mixtures of the informative ones.
    others = 2 if info.name == "imbalanced" else 0
    if "n_informative" in settings and settings["n_informative"] + others > settings["n_features"]:
        check.add(
            f"dataset.n_informative must be at most dataset.n_features{f' - {others}' if others else ''}; "
            f"got {settings['n_informative']} of {settings['n_features']}."
        )
    weights = settings.get("weights", [0.5, 0.5])
    if len(weights) != 2 or not all(0.0 < weight < 1.0 for weight in weights) or abs(sum(weights) - 1.0) > 1e-9:
        check.add(f"dataset.weights must be the shares of two classes, above 0 and 1 in sum; got {weights}.")
    check.one_of("dataset.standardize.x", SCALINGS)
    check.one_of("dataset.standardize.y", SCALINGS)
    check.one_of("dataset.standardize.fitted_on", ("train", "all_rows"))
    check.one_of("dataset.standardize.metrics", ("original", "scaled"))
    if info.task != "regression" and settings["standardize"]["y"] != "none":
        check.add(f"dataset.standardize.y must be none for {TASKS[info.task]}; got {settings['standardize']['y']}.")


def _check_split(check: _Checker, n_samples: int) -> None:
    split = check.settings["dataset"]["split"]
    n_problems = len(check.problems)
    for name in SPLITS:
        value = split[name]
        if not (type(value) is int and value >= 0) and not (isinstance(value, float) and 0.0 <= value < 1.0):
            check.add(f"dataset.split.{name} must be a count, or a share below 1; got {value!r}.")
    if len(check.problems) > n_problems:
        return
    counts = dict(zip(SPLITS, split_counts(split, n_samples), strict=True))
    for name in ("train", "test"):
        if counts[name] < 1:
            of = f"{n_samples} rows of {path}" if (path := check.settings["dataset"].get("path")) else n_samples
            check.add(f"dataset.split.{name} must be at least one sample; got {split[name]!r} of {of}.")
    if sum(counts.values()) > n_samples:
        taken = ", ".join(f"{name} {count}" for name, count in counts.items())
        hint = "take fewer." if "n_samples" not in check.settings["dataset"] else "raise dataset.n_samples."
        where = check.settings["dataset"].get("path") or "the data set"
        message = f"dataset.split takes {sum(counts.values())} samples ({taken}); {where} has {n_samples}."
        check.add(message, hint)
    if split["seed"] is not None:
        check.within("dataset.split.seed", 0, 2**32 - 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_parameters(check: _Checker, prefix: str, loss: Loss, settings: dict[str, Any], n_classes: int) -> None:
    for parameter in loss.parameters:
        key, value = f"{prefix}.{parameter.name}", settings[parameter.name]
        if parameter.matrix:
            settings[parameter.name] = _check_matrix(check, key, parameter, value, n_classes)
        elif not _is_number(value):
            check.add(f"{key} must be a number; got {value!r}.")
        elif problem := parameter.problem(value):
            check.add(f"{key} {problem}.")


def _check_matrix(check: _Checker, key: str, parameter: Parameter, value: Any, n_classes: int) -> Any:
    """Return a matrix with its numbers as floats; null is 1 for every confusion."""
    if value is None:
        return [[float(i != j) for j in range(n_classes)] for i in range(n_classes)]
    rows = value if isinstance(value, list) else []
    square = len(rows) == n_classes and all(isinstance(row, list) and len(row) == n_classes for row in rows)
    if not square or not all(_is_number(entry) for row in rows for entry in row):
        check.add(
            f"{key} must be {n_classes} rows of {n_classes} numbers, one for each class; got {value!r}.",
            f"a row for each true class: '{key}=[[0,1],[5,0]]' makes a missed class 1 cost 5.",
        )
        return value
    problems = [problem for row in rows for entry in row if (problem := parameter.problem(entry))]
    if problems:
        check.add(f"each number of {key} {problems[0]}.")
    return [[float(entry) for entry in row] for row in rows]


def _check_custom(check: _Checker) -> None:
    loss = check.settings["loss"]
    check.one_of("loss.task", tuple(TASKS))
    check.one_of("loss.encoding", tuple(ENCODINGS))
    check.one_of("loss.head", tuple(HEADS))
    if not isinstance(loss["parameters"], dict) or not all(map(_is_number, loss["parameters"].values())):
        check.add(
            f"loss.parameters must be a number for each name; got {loss['parameters']!r}.",
            "'loss.parameters={scale: 2.0}' calls the function with scale=2.0.",
        )
    _check_function(check, "loss", loss)


def _check_model(check: _Checker) -> None:
    model = check.settings["model"]
    for name in ("hidden_units", "units", "filters"):
        if name in model:
            model[name] = _layer_sizes(check, f"model.{name}", model[name], at_least=0 if model["name"] == "cnn" else 1)
    if "activation" in model:
        check.one_of("model.activation", ACTIVATIONS)
        check.one_of("model.initializer", INITIALIZERS)
    if "output_scale" in model and not 0.0 < model["output_scale"] <= 1e6:
        check.add(f"model.output_scale must be above 0 and at most 1e+06; got {model['output_scale']:g}.")
    if "dropout" in model and not 0.0 <= model["dropout"] < 1.0:
        check.add(f"model.dropout must be at least 0 and below 1; got {model['dropout']:g}.")
    for name, (low, high) in {"l2": (0.0, 1e6), "kernel_size": (1, 1000), "pooling": (1, 1000)}.items():
        if name in model:
            check.within(f"model.{name}", low, high)
    if "cell" in model:
        check.one_of("model.cell", ("simple", "gru", "lstm"))
    if "shape" in model:
        _check_shape(check, model)
    if model["name"] == "custom":
        _check_function(check, "model", model)


def _layer_sizes(check: _Checker, key: str, value: Any, at_least: int) -> Any:
    """Return a number for each layer as a list; one number is one layer."""
    sizes = [value] if type(value) is int else value
    if isinstance(sizes, list) and len(sizes) >= at_least and all(type(n) is int and 1 <= n <= 10**6 for n in sizes):
        return sizes
    check.add(
        f"{key} must be a number of at least 1 for each layer; got {value!r}.",
        f"{key}=50 is one layer, '{key}=[50,20]' are two.",
    )
    return value


def _check_shape(check: _Checker, model: dict[str, Any]) -> None:
    """Resolve the shape that a model sees samples in: the data set's own, where the model needs one."""
    own = DATASETS[check.settings["dataset"]["name"]].shape
    if model["shape"] is None and model["name"] == "cnn":
        model["shape"] = list(own) or None
    elif model["shape"] is None and model["name"] == "rnn":
        model["shape"] = [own[0], math.prod(own[1:])] if own else None
    rank = {"cnn": 3, "rnn": 2}.get(model["name"])
    shape = model["shape"]
    if shape is None and rank is None:
        return
    names = {3: "[height,width,channels]", 2: "[steps,features]"}.get(rank or 0, "numbers, such as [28,28,1]")
    numbers = isinstance(shape, list) and all(type(n) is int and n >= 1 for n in shape)
    if not numbers or (rank and len(shape) != rank):
        got = f"dataset={check.settings['dataset']['name']} has none of its own" if shape is None else f"got {shape!r}"
        check.add(f"model.shape must be {names}; {got}.", "its product is the number of features.")


def _check_function(check: _Checker, group: str, settings: dict[str, Any]) -> None:
    """Check the user's own function, and put its file's digest into the settings: another one gives other numbers."""
    found = find_function(f"{group}.function", settings["function"])
    if isinstance(found, Problem):
        check.problems.append(found)
    else:
        settings["digest"] = found


def _check_optimizer(check: _Checker) -> None:
    optimizer = check.settings["optimizer"]
    if not 0.0 < optimizer["learning_rate"] <= 1e6:
        check.add(f"optimizer.learning_rate must be above 0 and at most 1e+06; got {optimizer['learning_rate']:g}.")
    for name in ("momentum", "beta_1", "beta_2", "rho"):
        if name in optimizer and not 0.0 <= optimizer[name] < 1.0:
            check.add(f"optimizer.{name} must be at least 0 and below 1; got {optimizer[name]:g}.")
    if "epsilon" in optimizer and not 0.0 < optimizer["epsilon"] <= 1.0:
        check.add(f"optimizer.epsilon must be above 0 and at most 1; got {optimizer['epsilon']:g}.")
    for name in ("weight_decay", "initial_accumulator_value"):
        if name in optimizer:
            check.within(f"optimizer.{name}", 0.0, 1e6)
    clipped = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if optimizer[name] is not None]
    for name in clipped:
        if not 0.0 < optimizer[name] < math.inf:
            check.add(f"optimizer.{name} must be above 0, or null for none; got {optimizer[name]:g}.")
    if len(clipped) > 1:
        check.add(f"gradients are clipped in one way; got {' and '.join(f'optimizer.{name}' for name in clipped)}.")
    if optimizer.get("nesterov") and optimizer["momentum"] == 0.0:
        check.add("optimizer.nesterov=true needs a momentum above 0; got optimizer.momentum=0.")


def _check_schedule(check: _Checker) -> None:
    schedule, epochs = check.settings["schedule"], check.settings["epochs"]
    check.within("schedule.warmup_epochs", 0, 10**9)
    if schedule["warmup_epochs"] > epochs:
        check.add(f"schedule.warmup_epochs must be at most epochs; got {schedule['warmup_epochs']} of {epochs}.")
    if "final" in schedule:
        low, high = (0.0, 1.0) if schedule["name"] == "cosine" else (1e-12, 1.0)
        check.within("schedule.final", low, high)


def _check_selection(check: _Checker) -> None:
    """Check how weights are selected; early stopping keeps the best ones."""
    settings, early = check.settings, check.settings["early_stopping"]
    check.one_of("select", ("last", "best"))
    check.within("early_stopping.min_delta", 0.0, 1e30)
    if early["patience"] is not None:
        check.within("early_stopping.patience", 1, 10**9)
        settings["select"] = "best"
    if settings["select"] == "best" and settings["dataset"]["split"]["validation"] in (0, 0.0):
        asked = "select=best" if early["patience"] is None else "early_stopping.patience"
        check.add(
            f"{asked} needs a validation split; dataset.split.validation is 0.",
            "give it a count or a share, and take as much from train: dataset.split.train=0.5 "
            "dataset.split.validation=0.1, say.",
        )


def _check_corruption(check: _Checker) -> None:
    corruption, dataset = check.settings["corruption"], check.settings["dataset"]
    name, info = corruption["name"], described(dataset)
    if name != "none" and info.task not in CORRUPTED_TASKS[name]:
        wanted = " or ".join(TASKS[task] for task in CORRUPTED_TASKS[name])
        fitting = [other for other, tasks in CORRUPTED_TASKS.items() if info.task in tasks]
        check.add(
            f"corruption={name} is for {wanted}; dataset={info.name} has {TASKS[info.task]}.",
            f"use corruption={' or corruption='.join(fitting)}." if fitting else "leave it out.",
        )
        return
    if "rate" in corruption:
        check.within("corruption.rate", 0.0, 1.0)
    if "scale" in corruption:
        check.within("corruption.scale", 0.0, 1e6)
    if "share" in corruption and not 0.0 < corruption["share"] <= 1.0:
        check.add(f"corruption.share must be above 0 and at most 1; got {corruption['share']:g}.")
    if corruption.get("rare_class") is not None:
        check.within("corruption.rare_class", 0, n_outputs(info, dataset) - 1)


def report_problems(report: dict[str, Any], losses: list[str]) -> list[Problem]:
    """Return what is wrong with the settings of a report on these losses; an alias becomes the name in use."""
    check = _Checker({"report": report})
    if report["baseline"] is not None:
        report["baseline"] = ALIASES.get(report["baseline"], report["baseline"])
        if report["baseline"] not in losses:
            known = unknown("loss", report["baseline"], dict.fromkeys(losses))
            check.add(f"report.baseline must be a loss of the sweep; got {report['baseline']}.", known.hint)
    if report["margin"] is not None:
        check.within("report.margin", 0.0, math.inf)
    for name in report["margins"]:
        check.within(f"report.margins.{name}", 0.0, math.inf)
    return check.problems
