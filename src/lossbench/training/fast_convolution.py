"""Convolution and max pooling for the compiled trainer, made of operations that XLA compiles well for processors.

Within a loop XLA computes a convolution and its gradients without a library, and the gradient of max pooling by a
search in every window: an epoch of ``model=cnn`` on 2,000 pictures of 28 x 28 took 2.3 s of the processor in place of
0.27 s. Here a convolution is one product of matrices, and pooling compares slices. Results equal those of Keras's
layers up to rounding, for finite values.
"""

import keras
import tensorflow as tf

# A product of more values of patches would take too much memory (4 bytes each), as in the evaluation of large pictures.
MOST_VALUES = 2**24


class MatrixConv2D(keras.layers.Conv2D):
    """``keras.layers.Conv2D`` as one product: all patches of its input, with its kernel; if windows move by one."""

    def convolution_op(self, inputs, kernel):
        """Return the convolution, shape (n_samples, height, width, filters)."""
        plain = self.padding == "same" and {*self.strides, *self.dilation_rate, self.groups} == {1}
        if not plain or self.data_format != "channels_last":
            return super().convolution_op(inputs, kernel)
        kernel = tf.convert_to_tensor(kernel)
        height, width, n_channels, n_filters = kernel.shape
        n_samples, rows, columns = inputs.shape[:3]
        if (n_samples or 1) * rows * columns * height * width * n_channels > MOST_VALUES:
            return super().convolution_op(inputs, kernel)
        padded = tf.pad(inputs, [[0, 0], _around(height - 1), _around(width - 1), [0, 0]])
        patches = [padded[:, i : i + rows, j : j + columns] for i in range(height) for j in range(width)]
        n_inner = height * width * n_channels
        product = tf.matmul(tf.reshape(tf.concat(patches, axis=-1), (-1, n_inner)), tf.reshape(kernel, (n_inner, -1)))
        return tf.reshape(product, (-1, rows, columns, n_filters))


class SlicedMaxPooling2D(keras.layers.MaxPooling2D):
    """``keras.layers.MaxPooling2D`` as the maximum of slices, if its windows do not overlap."""

    def call(self, inputs):
        """Return the maxima, shape (n_samples, height / pool, width / pool, channels), rounded up."""
        if self.padding != "same" or self.strides != self.pool_size or self.data_format != "channels_last":
            return super().call(inputs)
        (height, width), (rows, columns) = self.pool_size, inputs.shape[1:3]
        edges = [_around(-rows % height), _around(-columns % width)]
        padded = tf.pad(inputs, [[0, 0], *edges, [0, 0]], constant_values=inputs.dtype.min)
        found = None
        for i in range(height):
            # Row by row, so that of equal values the first one gets the gradient, as in Keras.
            row = None
            for j in range(width):
                part = padded[:, i::height, j::width]
                row = part if row is None else tf.maximum(row, part)
            found = row if found is None else tf.maximum(found, row)
        return found


def _around(n: int) -> list[int]:
    """Return how many of ``n`` places TensorFlow adds before and behind for ``same`` padding."""
    return [n // 2, n - n // 2]
