"""The networks: ordinary Keras models that give raw predictions, and the weights that a seed starts them with."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from lossbench.config.settings import CnnSettings, CustomModelSettings, MlpSettings, ModelSettings, RnnSettings
from lossbench.ground.loading_functions import load_function
from lossbench.ground.seeds import stream

Layers = list[keras.layers.Layer]


def build_model(
    settings: ModelSettings, n_features: int, n_outputs: int, dense: type[keras.layers.Dense] = keras.layers.Dense
) -> keras.Model:
    """Return the network that a cell's ``model`` settings describe; its last layer is linear (the head activates).

    Parameters
    ----------
    settings : ModelSettings
        The cell's.
    n_features, n_outputs : int
        Of a sample, and of its raw prediction.
    dense : type
        The class of fully connected layers.

    Raises
    ------
    ValueError
        If the features cannot be brought into the shape that the model asks for, or a custom body gives something
        other than features for each sample.
    """
    inputs = keras.Input((n_features,))
    x = inputs
    shape = settings.shape if isinstance(settings, CnnSettings | RnnSettings | CustomModelSettings) else None
    if shape:
        if np.prod(shape) != n_features:
            raise ValueError(f"model.shape={shape} must have a place for each of the {n_features} features")
        x = keras.layers.Reshape(shape)(x)
    for layer in _body(settings, dense):
        x = layer(x)
    if len(x.shape) != 2:
        raise ValueError(f"the model's body gives the shape {x.shape}; it must give (n_samples, n_units): flatten it")
    scale = settings.output_scale if isinstance(settings, MlpSettings) else 1.0
    last = _scaled("glorot_uniform", scale)
    return keras.Model(inputs, dense(n_outputs, kernel_initializer=last)(x))


class ScaledInitializer(keras.initializers.Initializer):
    """A random initializer of Keras's, by its name, times a factor."""

    def __init__(self, name: str, scale: float, seed: int | None = None):
        self.name, self.scale, self.seed = name, scale, seed
        self._unscaled = keras.initializers.get({"class_name": name, "config": {"seed": seed}})

    def __call__(self, shape, dtype=None):
        """Return weights of a shape."""
        return self.scale * self._unscaled(shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what another one is made from."""
        return {"name": self.name, "scale": self.scale, "seed": self.seed}


def _scaled(name: str, scale: float) -> str | keras.initializers.Initializer:
    return name if scale == 1.0 else ScaledInitializer(name, scale)


def _mlp(settings: MlpSettings, dense: type[keras.layers.Dense]) -> Layers:
    return [layer for n_units in settings.hidden_units for layer in _hidden(settings, n_units, dense)]


def _hidden(settings: MlpSettings, n_units: int, dense: type[keras.layers.Dense]) -> Layers:
    """Return a hidden layer with what belongs to it; batch normalization stands before the activation."""
    l2 = keras.regularizers.L2(settings.l2) if settings.l2 else None
    initializer = _scaled(settings.initializer, settings.initializer_scale)
    common = {"kernel_initializer": initializer, "kernel_regularizer": l2}
    if not settings.batch_normalization:
        layers = [dense(n_units, activation=settings.activation, **common)]
    else:
        layers = [
            dense(n_units, use_bias=False, **common),
            keras.layers.BatchNormalization(),
            keras.layers.Activation(settings.activation),
        ]
    return layers + ([keras.layers.Dropout(settings.dropout)] if settings.dropout else [])


def _cnn(settings: CnnSettings, dense: type[keras.layers.Dense]) -> Layers:
    layers: Layers = []
    for n_filters in settings.filters:
        layers += [
            keras.layers.Conv2D(
                n_filters,
                settings.kernel_size,
                padding="same",
                activation=settings.activation,
                kernel_initializer=settings.initializer,
            ),
            keras.layers.MaxPooling2D(settings.pooling, padding="same"),
        ]
    layers.append(keras.layers.Flatten())
    for n_units in settings.hidden_units:
        layers.append(dense(n_units, activation=settings.activation, kernel_initializer=settings.initializer))
    return layers


def _rnn(settings: RnnSettings) -> Layers:
    cell = {"simple": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[settings.cell]
    *before, last = settings.units
    # Unrolled, the steps are part of the program: XLA then needs no loop inside the training's loops.
    layers = [cell(n_units, return_sequences=True, unroll=True) for n_units in before]
    return [*layers, cell(last, unroll=True)]


def _body(settings: ModelSettings, dense: type[keras.layers.Dense]) -> list[Any]:
    """Return the layers before the output layer; of a custom model, what the user's function makes."""
    if isinstance(settings, MlpSettings):
        return _mlp(settings, dense)
    if isinstance(settings, CnnSettings):
        return _cnn(settings, dense)
    if isinstance(settings, RnnSettings):
        return _rnn(settings)
    return [_custom_body(settings)] if isinstance(settings, CustomModelSettings) else []


def _custom_body(settings: CustomModelSettings) -> Any:
    """Return what the user's function makes: a Keras model or layer that takes samples to features."""
    body = load_function(settings.function)(**settings.parameters)
    if not callable(body):
        raise ValueError(f"model.function={settings.function} must return a Keras model or layer; got {body!r}")
    return body


def build_optimizer(config: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Return Keras's optimizer that the plain ``optimizer`` settings of a cell describe."""
    parameters = {key: value for key, value in config.items() if key != "name"}
    return keras.optimizers.get({"class_name": config["name"], "config": parameters})


def initial_weights(model: keras.Model, seed: int, rebuild: Callable[[int], list[np.ndarray]]) -> list[np.ndarray]:
    """Return the weights that a run starts from, drawn by the layers' own initializers.

    Each random initializer gets a seed of its own from the run's ``init`` stream, by its position in the model: the
    same seed gives networks of the same shape the same weights, whatever their loss. What is not random keeps the
    value that Keras gave it. A layer of the user's own may hide its initializers: then its weights are those of the
    model built again under the seed (``rebuild``).

    Returns
    -------
    list of arrays
        In the order of ``model.weights``.
    """
    rng = stream(seed, "init")
    owners = {id(variable): layer for layer in model._flatten_layers() for variable in _own_variables(layer)}
    weights: list[np.ndarray | None] = []
    for variable in model.weights:
        initializer = _initializer(owners.get(id(variable)), variable.name)
        own_seed = int(rng.integers(2**31 - 1))
        if initializer is not None and "seed" in initializer.get_config():
            seeded = initializer.__class__.from_config({**initializer.get_config(), "seed": own_seed})
            weights.append(np.asarray(seeded(variable.shape, dtype=variable.dtype)))
        else:
            value = variable.numpy()
            hidden = initializer is None and value.size > 1 and np.ptp(value) > 0
            weights.append(None if hidden else value)
    if any(weight is None for weight in weights):
        rebuilt = rebuild(int(rng.integers(2**31 - 1)))
        return [new if weight is None else weight for weight, new in zip(weights, rebuilt, strict=True)]
    return [weight for weight in weights if weight is not None]


def random_states(model: keras.Model, seed: int) -> dict[int, np.ndarray]:
    """Return the state that each random generator in the model (of dropout) starts a run with, by its variable's id."""
    rng = stream(seed, "dropout")
    known = {id(variable) for variable in model.weights}
    states = [variable for variable in model.non_trainable_variables if id(variable) not in known]
    return {id(v): np.array([rng.integers(2**31 - 1), 0]).astype(v.dtype) for v in states}


def _own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _initializer(layer: keras.layers.Layer | None, name: str) -> keras.initializers.Initializer | None:
    """Return a variable's initializer by Keras's naming: ``kernel`` has ``kernel_initializer``."""
    short = {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    return getattr(layer, f"{short.get(name, name)}_initializer", None)
