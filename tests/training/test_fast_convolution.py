"""Convolutions and pooling of the compiled trainer: as Keras's, in values and gradients, for all sizes and edges."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lossbench.training import fast_convolution
from lossbench.training.fast_convolution import MatrixConv2D, SlicedMaxPooling2D

SIZES = [(8, 8), (7, 5), (1, 6)]


def both(own: keras.layers.Layer, of_keras: keras.layers.Layer, shape: tuple[int, ...]) -> None:
    """Assert that two layers with the same weights give the same values and gradients, compiled too."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(3, *shape)), tf.float32)
    for layer in (own, of_keras):
        layer.build(x.shape)
    of_keras.set_weights(own.get_weights())

    def of(layer):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = layer(x)
            loss = tf.reduce_sum(value**3)
        return [value, *tape.gradient(loss, [x, *layer.trainable_variables])]

    compiled = tf.function(lambda: of(own), jit_compile=True)()
    for found, in_program, wanted in zip(of(own), compiled, of(of_keras), strict=True):
        assert found.shape == wanted.shape
        # Sums that nearly cancel have the error of their largest terms.
        near = 1e-5 * np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=near)
        np.testing.assert_allclose(in_program, wanted, rtol=0, atol=near)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (3, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_is_that_of_keras(size, kernel, channels):
    words = {"filters": 4, "kernel_size": kernel, "padding": "same", "activation": "relu"}
    both(MatrixConv2D(**words), keras.layers.Conv2D(**words), (*size, channels))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pool", [1, 2, 3, (2, 3)])
def test_max_pooling_is_that_of_keras(size, pool):
    words = {"pool_size": pool, "padding": "same"}
    both(SlicedMaxPooling2D(**words), keras.layers.MaxPooling2D(**words), (*size, 2))


@pytest.mark.parametrize(
    ("own", "of_keras", "words"),
    [
        (MatrixConv2D, keras.layers.Conv2D, {"filters": 4, "kernel_size": 3}),
        (MatrixConv2D, keras.layers.Conv2D, {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
        (MatrixConv2D, keras.layers.Conv2D, {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}),
        (SlicedMaxPooling2D, keras.layers.MaxPooling2D, {"pool_size": 2}),
        (SlicedMaxPooling2D, keras.layers.MaxPooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}),
    ],
)
def test_what_is_not_written_out_is_left_to_keras(own, of_keras, words):
    both(own(**words), of_keras(**words), (8, 7, 2))


def test_a_convolution_that_would_take_too_much_memory_is_left_to_keras(monkeypatch):
    words = {"filters": 4, "kernel_size": 3, "padding": "same"}
    monkeypatch.setattr(fast_convolution, "MOST_VALUES", 3 * 8 * 8 * 9 * 2 - 1)
    monkeypatch.setattr(tf, "matmul", None)
    both(MatrixConv2D(**words), keras.layers.Conv2D(**words), (8, 8, 2))


def test_of_equal_values_the_first_one_gets_the_gradient():
    x = tf.ones((1, 4, 4, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(SlicedMaxPooling2D(2, padding="same")(x))
    gradient = tape.gradient(value, x).numpy()[0, :, :, 0]
    assert gradient.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
