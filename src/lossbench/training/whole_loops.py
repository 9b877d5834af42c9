"""Which loops XLA compiles as one function, and which operation by operation.

The steps of a small network take a few microseconds, and half of that goes into starting one compiled operation after
the other. With the flags of ``training/xla_flags.py`` XLA compiles a loop as one function, up to a size. Such a
function calls no library, so products of large matrices are much slower in it. XLA never does it to a loop that sorts,
so the loops of networks that are not small sort two numbers.
"""

import keras
import tensorflow as tf

from lossbench.training.narrow_dense import FEW_TERMS, NarrowDense, SplitDense

# With more weights in a layer, or samples in a batch, calling a library is faster, or the function takes too long to
# compile.
MOST_WEIGHTS = 64 * 64
MOST_SAMPLES = 64
_DENSE = (keras.layers.Dense, NarrowDense)
_PLAIN_LAYERS = (
    *_DENSE,
    keras.layers.InputLayer,
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.Sequential,
)


def is_small(model: keras.Model, batch_size: int) -> bool:
    """Return whether a network, trained in batches of this size, consists of small dense layers."""
    layers = list(model._flatten_layers(include_self=False))
    sizes = [weight.shape.num_elements() for weight in model.trainable_variables]
    plain = all(type(layer) in _PLAIN_LAYERS for layer in layers)
    return plain and batch_size <= MOST_SAMPLES and max(sizes) <= MOST_WEIGHTS


def call_no_library(model: keras.Model) -> None:
    """Make the dense layers of a small network compute as is fast within a loop that is one function."""
    for layer in model._flatten_layers(include_self=False):
        if type(layer) in _DENSE:
            layer.__class__ = SplitDense


def keep_recurrent_loops(model: keras.Model, batch_size: int) -> None:
    """Make the recurrent layers of a network sort in their own loops, if products in these have many terms."""
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, keras.layers.RNN) or layer.unroll or isinstance(layer.cell, _SortingCell):
            continue
        cell = layer.cell
        lengths = [length for weight in cell.trainable_variables for length in weight.shape]
        if max([batch_size, *lengths]) > FEW_TERMS:
            cell.__class__ = type(type(cell).__name__, (_SortingCell, type(cell)), {})


def next_by_sorting(i: tf.Tensor) -> tf.Tensor:
    """Return i + 1, so that XLA compiles the loop that counts with it operation by operation."""
    return tf.sort([i, i + 1])[1]


class _SortingCell(keras.layers.Layer):
    """Goes before the class of a recurrent layer's cell: sorts in every step, and in the gradient of every step."""

    def call(self, inputs, states, *args, **kwargs):
        output, states = super().call(inputs, states, *args, **kwargs)
        first, *others = tf.nest.flatten(states)
        return output, tf.nest.pack_sequence_as(states, [_after_sorting(first), *others])


@tf.custom_gradient
def _after_sorting(values):
    """Return the same values, after a sort whose result changes nothing."""
    return _sorted(values), _sorted


def _sorted(values):
    i = tf.cast(tf.reshape(values, [-1])[0] > 0, tf.int32)
    return values + tf.cast(next_by_sorting(i) - i - 1, values.dtype)
