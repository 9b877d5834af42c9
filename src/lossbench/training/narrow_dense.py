"""Dense layers for the compiled trainer that compute small matrix products as explicit sums.

XLA calls a library for every matrix product, and the library first packs the matrices. For the narrow matrices of small
networks (two features, three classes) packing costs more than the product. XLA can fuse an explicit sum with the
operations around it. This saves a fifth of the tutorial's training time. Results equal those of ``keras.layers.Dense``
up to rounding.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

# Matrices with at most this many rows or columns are narrow.
NARROW = 8
# Up to so many columns are multiplied one by one; with eight, one product is faster.
FEW_COLUMNS = 5
# XLA's own code for a product is as fast as a library's while its sums have at most so many terms: LLVM unrolls them.
FEW_TERMS = 32


class NarrowDense(keras.layers.Dense):
    """``keras.layers.Dense`` that computes products of narrow matrices as explicit sums during training."""

    def call(self, inputs, training=None):
        """Return the layer's outputs, shape (n_samples, units)."""
        if not training or inputs.shape.rank != 2 or min(self.kernel.shape) > NARROW:
            return super().call(inputs, training=training)
        return self._with_product(_narrow_product, inputs)

    def _with_product(self, product: Callable, inputs):
        outputs = product(inputs, tf.convert_to_tensor(self.kernel))
        return self.activation(outputs if self.bias is None else outputs + self.bias)


class SplitDense(NarrowDense):
    """The same where no library can be called (``training/whole_loops.py``): wide products are split too."""

    def call(self, inputs, training=None):
        """Return the layer's outputs, shape (n_samples, units)."""
        if inputs.shape.rank != 2:
            return super().call(inputs, training=training)
        return self._with_product(_split_product, inputs)


def _split_matmul(a, b):
    n_inner = b.shape[0]
    n_parts = -(-n_inner // FEW_TERMS)
    # Of equal sizes, up to one: a small remainder takes LLVM longer.
    sizes = [(n_inner + i) // n_parts for i in range(n_parts)]
    parts = zip(tf.split(a, sizes, axis=1), tf.split(b, sizes), strict=True)
    return tf.add_n([tf.matmul(*part) for part in parts])


def _product_with(matmul: Callable) -> Callable:
    """Return a function that computes the product of two matrices, as an explicit sum if the inner dimension is narrow.

    Parameters
    ----------
    matmul : callable
        Multiplies matrices that are not narrow.

    Returns
    -------
    callable
        Of float tensors ``a``, shape (n_samples, n_inner), and ``b``, shape (n_inner, n_outputs). It returns a tensor
        of shape (n_samples, n_outputs). Its gradient is also made of explicit sums where a dimension is narrow.
    """

    @tf.custom_gradient
    def product(a, b):
        n_inner, n_outputs = b.shape
        if n_inner <= NARROW:
            value = tf.add_n([a[:, i : i + 1] * b[i] for i in range(n_inner)])
        elif n_outputs <= FEW_COLUMNS:
            # XLA compiles the product with a single column itself.
            value = tf.concat([tf.matmul(a, b[:, j : j + 1]) for j in range(n_outputs)], axis=1)
        else:
            value = matmul(a, b)

        def gradient(d):
            if n_outputs <= NARROW:
                d_a = tf.add_n([d[:, j : j + 1] * b[:, j] for j in range(n_outputs)])
            else:
                d_a = matmul(d, tf.transpose(b))
            if min(n_inner, n_outputs) > NARROW:
                d_b = matmul(tf.transpose(a), d)
            elif n_outputs <= n_inner:
                d_b = tf.stack([tf.reduce_sum(a * d[:, j : j + 1], axis=0) for j in range(n_outputs)], axis=1)
            else:
                d_b = tf.stack([tf.reduce_sum(a[:, i : i + 1] * d, axis=0) for i in range(n_inner)])
            return d_a, d_b

        return value, gradient

    return product


_narrow_product = _product_with(tf.matmul)
_split_product = _product_with(_split_matmul)
