"""Image data sets that Keras downloads at first use: flattened, pixels from 0 to 1, the official test split last."""

from lossbench.ground import quiet_tensorflow  # noqa: F401  isort: skip
import keras
import numpy as np


def load_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST: x of shape (70000, 784), classes of shape (70000,)."""
    return _together(*keras.datasets.mnist.load_data())


def load_fashion_mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return Fashion-MNIST: x of shape (70000, 784), classes of shape (70000,)."""
    return _together(*keras.datasets.fashion_mnist.load_data())


def load_cifar10() -> tuple[np.ndarray, np.ndarray]:
    """Return CIFAR-10: x of shape (60000, 3072), classes of shape (60000,)."""
    return _together(*keras.datasets.cifar10.load_data())


def _together(train: tuple, test: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return the official training and test images as one data set, the test images last."""
    x, y = (np.concatenate(parts) for parts in zip(train, test, strict=True))
    return np.divide(x.reshape(len(x), -1), 255, dtype=np.float32), y.ravel().astype(np.int32)
