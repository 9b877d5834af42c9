"""The networks: ordinary Keras models that give raw predictions, and the weights that a seed starts them with."""

from typing import Any

import keras
import numpy as np

from lossbench.seeds import stream


def build_model(
    settings: dict[str, Any], n_features: int, n_outputs: int, dense: type[keras.layers.Dense] = keras.layers.Dense
) -> keras.Model:
    """Return the network that a cell's ``model`` settings describe; its last layer is linear (the head activates).

    ``dense`` is the class of its layers.
    """
    layers: list[Any] = [keras.Input((n_features,))]
    for n_units in settings["hidden_units"]:
        layers.append(dense(n_units, activation=settings["activation"], kernel_initializer=settings["initializer"]))
    return keras.Sequential([*layers, dense(n_outputs)])


def build_optimizer(settings: dict[str, Any]) -> keras.optimizers.Optimizer:
    """Return Keras's optimizer that a cell's ``optimizer`` settings describe."""
    parameters = {key: value for key, value in settings.items() if key != "name"}
    return keras.optimizers.get({"class_name": settings["name"], "config": parameters})


def initial_weights(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Return the weights that a run starts from, drawn by the layers' own initializers.

    Each random initializer gets a seed of its own from the run's ``init`` stream, by its position in the model: the
    same seed gives networks of the same shape the same weights, whatever their loss. What is not random keeps the
    value that Keras gave it.

    Returns
    -------
    list of arrays
        In the order of ``model.weights``.
    """
    rng = stream(seed, "init")
    owners = {id(variable): layer for layer in model._flatten_layers() for variable in layer._trainable_variables}
    weights = []
    for variable in model.weights:
        initializer = _initializer(owners.get(id(variable)), variable.name)
        own_seed = int(rng.integers(2**31 - 1))
        if initializer is None or "seed" not in initializer.get_config():
            weights.append(variable.numpy())
            continue
        seeded = initializer.__class__.from_config({**initializer.get_config(), "seed": own_seed})
        weights.append(np.asarray(seeded(variable.shape, dtype=variable.dtype)))
    return weights


def _initializer(layer: keras.layers.Layer | None, name: str) -> keras.initializers.Initializer | None:
    """Return a variable's initializer by Keras's naming: ``kernel`` has ``kernel_initializer``."""
    short = {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}
    return getattr(layer, f"{short.get(name, name)}_initializer", None)
