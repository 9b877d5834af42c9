"""Builds networks (Keras models that return raw predictions) and optimizers, and draws initial weights from a seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from lossbench.config.settings import CnnSettings, CustomModelSettings, MlpSettings, ModelSettings, RnnSettings
from lossbench.ground.loading_functions import load_function
from lossbench.ground.seeds import stream

Layers = list[keras.layers.Layer]
# The activations of output layers. A linear hidden layer as wide as the output before it would add nothing.
OUTPUTS = ("linear", "sigmoid", "softmax")


@dataclass(frozen=True)
class LayerTypes:
    """The classes of layers of which the networks of ``conf/model/`` are made."""

    dense: type[keras.layers.Dense] = keras.layers.Dense
    convolution: type[keras.layers.Conv2D] = keras.layers.Conv2D
    pooling: type[keras.layers.MaxPooling2D] = keras.layers.MaxPooling2D


KERAS = LayerTypes()


def build_model(settings: ModelSettings, n_features: int, n_outputs: int, types: LayerTypes = KERAS) -> keras.Model:
    """Return the network of a cell. Its last layer is linear; the head's activation is applied outside.

    Parameters
    ----------
    settings : ModelSettings
        The cell's.
    n_features, n_outputs : int
        The number of features of a sample, and of values in its raw prediction.
    types : LayerTypes
        The classes to use for layers.

    Raises
    ------
    ValueError
        If the number of features does not fit ``model.shape``, or a custom model does not return one vector for each
        sample, is compiled, or ends in an output layer of its own.
    """
    inputs = keras.Input((n_features,))
    x = inputs
    shape = settings.shape if isinstance(settings, CnnSettings | RnnSettings | CustomModelSettings) else None
    if shape:
        if np.prod(shape) != n_features:
            raise ValueError(f"model.shape={shape} must have a place for each of the {n_features} features")
        x = keras.layers.Reshape(shape)(x)
    for layer in _body(settings, n_outputs, types):
        x = layer(x)
    if len(x.shape) != 2:
        raise ValueError(f"the model's body gives the shape {x.shape}; it must give (n_samples, n_units): flatten it")
    scale = settings.output_scale if isinstance(settings, MlpSettings) else 1.0
    last = _scaled("glorot_uniform", scale)
    return keras.Model(inputs, types.dense(n_outputs, kernel_initializer=last)(x))


class ScaledInitializer(keras.initializers.Initializer):
    """One of Keras's random initializers, by name, multiplied by a factor."""

    def __init__(self, name: str, scale: float, seed: int | None = None):
        self.name, self.scale, self.seed = name, scale, seed
        self._unscaled = keras.initializers.get({"class_name": name, "config": {"seed": seed}})

    def __call__(self, shape, dtype=None):
        """Return initial weights of the given shape."""
        return self.scale * self._unscaled(shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which Keras recreates the initializer."""
        return {"name": self.name, "scale": self.scale, "seed": self.seed}


def _scaled(name: str, scale: float) -> str | keras.initializers.Initializer:
    return name if scale == 1.0 else ScaledInitializer(name, scale)


def _mlp(settings: MlpSettings, types: LayerTypes) -> Layers:
    return [layer for n_units in settings.hidden_units for layer in _hidden(settings, n_units, types.dense)]


def _hidden(settings: MlpSettings, n_units: int, dense: type[keras.layers.Dense]) -> Layers:
    """Return a hidden layer: dense, optional batch normalization before the activation, optional dropout."""
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


def _cnn(settings: CnnSettings, types: LayerTypes) -> Layers:
    layers: Layers = []
    for n_filters in settings.filters:
        layers += [
            types.convolution(
                n_filters,
                settings.kernel_size,
                padding="same",
                activation=settings.activation,
                kernel_initializer=settings.initializer,
            ),
            types.pooling(settings.pooling, padding="same"),
        ]
    layers.append(keras.layers.Flatten())
    for n_units in settings.hidden_units:
        layers.append(types.dense(n_units, activation=settings.activation, kernel_initializer=settings.initializer))
    return layers


def _rnn(settings: RnnSettings) -> Layers:
    cell = {"simple": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[settings.cell]
    *before, last = settings.units
    return [*(cell(n_units, return_sequences=True) for n_units in before), cell(last)]


def _body(settings: ModelSettings, n_outputs: int, types: LayerTypes) -> list[Any]:
    """Return the layers before the output layer; for a custom model, the model or layer of the user's function."""
    if isinstance(settings, MlpSettings):
        return _mlp(settings, types)
    if isinstance(settings, CnnSettings):
        return _cnn(settings, types)
    if isinstance(settings, RnnSettings):
        return _rnn(settings)
    if not isinstance(settings, CustomModelSettings):
        return []
    body = _custom_body(settings, n_outputs)
    _exchange(body, {keras.layers.Conv2D: types.convolution, keras.layers.MaxPooling2D: types.pooling})
    return [body]


def _exchange(layer: Any, classes: Mapping[type, type]) -> None:
    """Make a layer, and those within it, one of another class that computes the same, if its class has one."""
    if type(layer) in classes:
        layer.__class__ = classes[type(layer)]
    for inner in getattr(layer, "layers", ()):
        _exchange(inner, classes)


def _custom_body(settings: CustomModelSettings, n_outputs: int) -> Any:
    """Call the user's function and return its Keras model or layer."""
    body = load_function(settings.function)(**settings.parameters)
    if not callable(body):
        raise ValueError(f"model.function={settings.function} must return a Keras model or layer; got {body!r}")
    if problem := _whole_network(body, n_outputs):
        raise ValueError(
            f"model.function={settings.function} must return the layers below the output layer, which head=… adds; "
            f"it returns a model that {problem}"
        )
    return body


def _whole_network(body: Any, n_outputs: int) -> str:
    """Return what shows that a model is a whole network, and not what stands below an output layer; '' if nothing."""
    if getattr(body, "compiled", False):
        return "is compiled (optimizer=… and loss=… are settings; keras.models.load_model takes compile=False)"
    last = body.layers[-1] if isinstance(body, keras.Model) and body.layers else None
    if isinstance(last, keras.layers.Softmax):
        return "ends in Softmax"
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    if not isinstance(last, keras.layers.Dense) or last.units != n_outputs or activation not in OUTPUTS:
        return ""
    return f"ends in Dense({last.units}, {activation})"


def build_optimizer(config: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Return Keras's optimizer for a cell's plain ``optimizer`` settings."""
    parameters = {key: value for key, value in config.items() if key != "name"}
    return keras.optimizers.get({"class_name": config["name"], "config": parameters})


def initial_weights(model: keras.Model, seed: int, rebuild: Callable[[int], list[np.ndarray]]) -> list[np.ndarray]:
    """Return the initial weights of a run, drawn by the layers' own initializers.

    Each weight gets its own seed from the run's ``init`` stream, in the order of the model's weights. The same seed
    therefore gives networks of the same shape the same weights, whatever the loss. Weights without a random
    initializer keep the values that Keras gave them. If a user's own layer hides a random initializer, its weights are
    taken from a second copy of the model, built under a seed from the same stream.

    Parameters
    ----------
    model : keras.Model
    seed : int
        The run's seed.
    rebuild : callable
        Returns the weights of a new copy of the model, built under a given global seed.

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
        # Drawn for every weight, random or not, so that a seed depends on the position only.
        own_seed = int(rng.integers(2**31 - 1))
        if initializer is not None and "seed" in initializer.get_config():
            seeded = initializer.__class__.from_config({**initializer.get_config(), "seed": own_seed})
            weights.append(np.asarray(seeded(variable.shape, dtype=variable.dtype)))
        else:
            value = variable.numpy()
            # Weights that differ from each other but have no known initializer must have been drawn by a hidden one.
            hidden = initializer is None and value.size > 1 and np.ptp(value) > 0
            weights.append(None if hidden else value)
    if any(weight is None for weight in weights):
        rebuilt = rebuild(int(rng.integers(2**31 - 1)))
        return [new if weight is None else weight for weight, new in zip(weights, rebuilt, strict=True)]
    return [weight for weight in weights if weight is not None]


def random_states(model: keras.Model, seed: int) -> dict[int, np.ndarray]:
    """Return the initial state of each random generator in the model (of dropout layers), by the id of its variable."""
    rng = stream(seed, "dropout")
    known = {id(variable) for variable in model.weights}
    # Keras counts the state of a generator among the non-trainable variables, but not among the weights.
    states = [variable for variable in model.non_trainable_variables if id(variable) not in known]
    return {id(v): np.array([rng.integers(2**31 - 1), 0]).astype(v.dtype) for v in states}


def _own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _initializer(layer: keras.layers.Layer | None, name: str) -> keras.initializers.Initializer | None:
    """Return the initializer of a variable by Keras's naming convention: ``kernel`` has ``kernel_initializer``."""
    short = {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    return getattr(layer, f"{short.get(name, name)}_initializer", None)
