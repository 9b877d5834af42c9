"""Small networks, whose loops XLA compiles as one function, and larger ones, whose loops it does not."""

import numpy as np
import pytest
import tensorflow as tf
from support.settings import shipped
from support.trainings import BCE, MLP, MSE, assert_close, bits, setting

from lossbench.training.compiled import Program
from lossbench.training.trainers import train_compiled, train_with_fit

NETWORKS = """
import keras
from keras import Sequential, layers, ops

def dense():
    return Sequential([layers.Dense(40, "relu"), Sequential([layers.Dense(33, "tanh"), layers.Dropout(0.0)])])

def recurrent(units):
    return Sequential([layers.Reshape((4, 1)), layers.LSTM(units)])

def two_ways():
    return Sequential([layers.Reshape((2, 2)), layers.Bidirectional(layers.GRU(12))])

class Decaying(keras.Layer):
    # Returns its state as it is, not in a list.
    state_size = output_size = 40

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 40), name="kernel", initializer="glorot_uniform")

    def call(self, inputs, states):
        state = states[0] if isinstance(states, (list, tuple)) else states
        state = 0.5 * state + ops.tanh(ops.matmul(inputs, self.kernel))
        return state, state

def own_cell():
    return Sequential([layers.Reshape((2, 2)), layers.RNN(Decaying())])
"""


def mlp(*hidden_units, **more):
    return {**MLP, "hidden_units": list(hidden_units), **more}


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    (tmp_path / "networks_of_loops.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)


def own(function, **parameters):
    return shipped("model", "custom", function=f"networks_of_loops:{function}", parameters=parameters)


def functions_of_loops(structure):
    """Return how many loops XLA has compiled as one function."""
    program = Program(structure)
    zeros = tf.nest.map_structure(lambda spec: tf.zeros(spec.shape, spec.dtype), program._signature())
    compiled = program._compiled.experimental_get_compiler_ir(*zeros)(stage="optimized_hlo")
    return compiled.count('xla_cpu_small_call="true"')


@pytest.mark.parametrize(
    ("model", "batch_size", "small"),
    [
        (mlp(8), 32, True),
        (mlp(64, 64), 64, True),
        (mlp(40, batch_normalization=True, dropout=0.1), 32, True),
        (shipped("model", "linear"), 32, True),
        (own("dense"), 32, True),
        (mlp(64, 65), 32, False),
        (mlp(8), 65, False),
        (own("recurrent", units=9), 32, False),
        (own("two_ways"), 32, False),
        (own("own_cell"), 32, False),
        (own("recurrent", units=2), 33, False),
    ],
)
def test_loops_of_small_networks_and_no_others_are_compiled_as_one_function(model, batch_size, small):
    assert bool(functions_of_loops(setting(BCE, model=model, batch_size=batch_size)[0])) == small


def test_the_smallest_recurrent_loops_are_one_function():
    # Four gates of two units are sums of few terms.
    assert functions_of_loops(setting(BCE, model=own("recurrent", units=2))[0])


@pytest.mark.parametrize(
    "model",
    [
        mlp(40, 33),
        mlp(64, 64, 64),
        mlp(65, 64),
        own("dense"),
        own("recurrent", units=9),
        own("two_ways"),
        own("own_cell"),
    ],
)
def test_compiled_and_fit_trainer_agree_for_both_kinds(model):
    cell = setting(MSE, model=model, epochs=5)
    ours, theirs = train_compiled(*cell, seed=0), train_with_fit(*cell, seed=0)
    assert_close(ours, theirs.weights, theirs.curves)
    assert bits(train_compiled(*cell, seed=0)) == bits(ours)
    assert np.isfinite(ours.curves["test/loss"]).all()
