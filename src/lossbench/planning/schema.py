"""What a cell is told: the types of all settings, and which of them make its key.

Types stand here, values only in ``conf/``.
"""

from dataclasses import dataclass, field, make_dataclass
from typing import Any

from omegaconf import MISSING, OmegaConf

from lossbench.config.paths import conf_folder
from lossbench.datasets.catalogue import DATASETS
from lossbench.losses.choice import COMPOSITE, CUSTOM
from lossbench.losses.pairing import LOSSES


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
    initializer_scale: float = MISSING
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
    """Whether runs go to MLflow, where that is, and whose networks are kept there as models."""

    enabled: bool = MISSING
    uri: str | None = MISSING
    models: str = MISSING


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
TUNES: dict[str, type] = {"none": NoTuneConfig, "learning_rate": TuneConfig}
# The groups that make a cell, and all that can be chosen.
CELL_GROUPS = ("dataset", "head", "loss", "model", "optimizer", "schedule", "corruption", "tune")
GROUPS = (*CELL_GROUPS, "tuned", "experiment")


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


def report_defaults() -> dict[str, Any]:
    """Return the report's settings as they stand in ``conf/``: for plans written before there were any."""
    return OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml").report)  # type: ignore[return-value]
