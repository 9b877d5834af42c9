"""What a cell's settings say of its training, in plain words for a paper: scaling, network, optimizer, study."""

from typing import Any

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.config.search_space import LEARNING_RATE
from lossbench.config.settings import (
    CellSettings,
    CnnSettings,
    HoldoutTuneSettings,
    MlpSettings,
    NoCorruptionSettings,
    RnnSettings,
    plain,
)
from lossbench.findings.number_formats import counted, joined
from lossbench.paper.markup import code
from lossbench.planning.plan import Cell

SCALINGS = {
    "standard": "standardized to mean 0 and variance 1",
    "minmax": "scaled to 0 to 1",
    "robust": "scaled to median 0 and interquartile range 1",
}
CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


def scaling(cell: Cell) -> str:
    """Return how features and targets were scaled, and by which rows."""
    own = cell.settings.dataset.standardize
    scaled = {"features": SCALINGS.get(own.x), "targets": SCALINGS.get(own.y)}
    parts = [f"{what} were {how}" for what, how in scaled.items() if how]
    if not parts:
        return "features and targets were taken as they are"
    if scaled["features"] == scaled["targets"]:
        parts = [f"features and targets were {scaled['features']}"]
    return f"{' and '.join(parts)}, fitted on {'the training rows' if own.fitted_on == 'train' else 'all rows'}"


def network(cell: Cell) -> str:
    """Return the network without its output layer, which goes with the loss."""
    return f"the network was {_model(cell.settings)}"


def head(cell: Cell) -> str:
    """Return the output layer."""
    return f"the output layer was {cell.head}"


def _model(own: CellSettings) -> str:
    model = own.model
    if isinstance(model, MlpSettings):
        layers = "one hidden layer" if len(model.hidden_units) == 1 else f"{len(model.hidden_units)} hidden layers"
        more = [f"{model.activation} activation", f"{code(model.initializer)} initialization"]
        more += [f"dropout {model.dropout:g}"] if model.dropout else []
        more += [f"L2 penalty {model.l2:g}"] if model.l2 else []
        more += ["batch normalization"] if model.batch_normalization else []
        return f"a multi-layer perceptron with {layers} of {_listed(model.hidden_units)} units ({', '.join(more)})"
    if isinstance(model, CnnSettings):
        dense = f", then dense layers of {_listed(model.hidden_units)} units" if model.hidden_units else ""
        return (
            f"a convolutional network of {_listed(model.filters)} filters of size {model.kernel_size}, each layer "
            f"followed by max pooling over {model.pooling}{dense} ({model.activation} activation, "
            f"{code(model.initializer)} initialization)"
        )
    if isinstance(model, RnnSettings):
        return f"a recurrent network with layers of {_listed(model.units)} {model.cell} units"
    return "linear, without a hidden layer" if model.name == "linear" else f"our own ({code(plain(model)['function'])})"


def _listed(sizes: list[int]) -> str:
    return joined([str(size) for size in sizes])


def training(cell: Cell) -> str:
    """Return the optimizer, but for the learning rate, and everything else that a training's course depends on."""
    own = cell.settings
    parameters = {key: value for key, value in own.optimizer.parameters.items() if value not in (None, False)}
    parameters |= {name: value for name in CLIPS if (value := getattr(own.optimizer, name)) is not None}
    optimizer = f"{OPTIMIZERS[own.optimizer.name].keras}{_settings(parameters)}"
    text = f"training took {counted(own.epochs, 'epoch')} of {optimizer} in batches of {own.batch_size}"
    text += _schedule(own)
    if own.early_stopping.patience is not None:
        patience = counted(own.early_stopping.patience, "epoch")
        text += f", stopped after {patience} without a better main metric on the validation split"
    if own.select == "best":
        text += "; the weights of the best epoch on the validation split were kept"
    return text


def corruption(cell: Cell) -> str:
    """Return how the training rows were corrupted; '' where they were not."""
    own = cell.settings.corruption
    if isinstance(own, NoCorruptionSettings):
        return ""
    values = {key: value for key, value in plain(own).items() if key != "name" and value is not None}
    return f"the training rows were corrupted by {own.name.replace('_', ' ')}{_settings(values)}"


def _schedule(own: CellSettings) -> str:
    warmup = counted(own.schedule.warmup_epochs, "epoch")
    after = f" after {warmup} of linear warm-up" if own.schedule.warmup_epochs else ""
    if own.schedule.name == "constant":
        return f", with a constant learning rate{after}" if after else ""
    falls = f"falls to {plain(own.schedule)['final']:g} of its highest value"
    return f", with a learning rate that {falls} ({own.schedule.name} schedule){after}"


def _settings(values: dict[str, Any]) -> str:
    shown = [f"{key.replace('_', ' ')} {_value(value)}" for key, value in values.items()]
    return f" ({', '.join(shown)})" if shown else ""


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def study(cell: Cell) -> str:
    """Return which learning rates a tuned cell's study tried, and on which rows; '' for an untuned cell."""
    if not cell.is_tuned:
        return ""
    own = cell.settings.study
    others = [code(key) for key in own.space if key != LEARNING_RATE]
    searched = f", together with {joined(others)}," if others else ""
    tried = f"{own.trials} settings, with rates from {own.low:g} to {own.high:g}," if others else ""
    tried = tried or f"{own.trials} rates from {own.low:g} to {own.high:g}"
    first = (
        f"the learning rate of each loss{searched} was tuned on training rows alone: {tried} were judged by "
        f"{code(own.metric or cell.metric)}"
    )
    if isinstance(own, HoldoutTuneSettings):
        return f"{first} on {100 * own.validation:g} % of them"
    if cell.settings.folds:
        return f"{first}, for each fold by training rows that it does not judge"
    return f"{first} on {own.repetitions} x {own.folds} folds of them"


def choice(cell: Cell) -> str:
    """Return how a tuned cell's study chose among what it tried; '' for an untuned cell."""
    if not cell.is_tuned:
        return ""
    own, rate = cell.settings.study, cell.settings.optimizer.learning_rate
    if isinstance(own, HoldoutTuneSettings):
        return "the best rate was taken"
    if set(own.space) - {LEARNING_RATE}:
        return "the best of these settings raced on fresh folds, and the winner was taken"
    wider = "where the best rate lay at an end of the range, more were tried beyond it; " if own.widen else ""
    return (
        f"{wider}of the rates that do as well as the best, to a standard error paired by fold, the middle one was "
        f"taken, or the configured {rate:g} where it is one of them and not the highest"
    )


# What is said of a cell, in the order of the paragraph.
SENTENCES = (scaling, network, head, training, corruption, study, choice)
