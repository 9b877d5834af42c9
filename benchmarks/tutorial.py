"""The tutorial's nine networks in plain Keras and scikit-learn, as a reader of such a text would write them."""

import keras
import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_regression
from sklearn.preprocessing import StandardScaler

N_TRAIN = 500
BATCH_SIZE = 32
STEPS_PER_EPOCH = -(-N_TRAIN // BATCH_SIZE)
HIDDEN_UNITS = {"regression": 25, "circles": 50, "blobs": 50}
EPOCHS = {"regression": 100, "circles": 200, "blobs": 100}
ACTIVATIONS = {
    "mean_squared_error": "linear",
    "mean_squared_logarithmic_error": "linear",
    "mean_absolute_error": "linear",
    "binary_crossentropy": "sigmoid",
    "hinge": "tanh",
    "squared_hinge": "tanh",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
    "kl_divergence": "softmax",
}


def load(dataset: str, loss: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return x and y for training, then x and y for testing."""
    if dataset == "regression":
        x, y = make_regression(n_samples=1000, n_features=20, noise=0.1, random_state=1)
        x = StandardScaler().fit_transform(x)
        y = StandardScaler().fit_transform(y.reshape(-1, 1))[:, 0]
    elif dataset == "circles":
        x, y = make_circles(n_samples=1000, noise=0.1, random_state=1)
        y = y if loss == "binary_crossentropy" else np.where(y == 0, -1, 1)
    else:
        x, y = make_blobs(n_samples=1000, centers=3, n_features=2, cluster_std=2, random_state=2)
        y = y if loss == "sparse_categorical_crossentropy" else np.eye(3)[y]
    return x[:N_TRAIN], y[:N_TRAIN], x[N_TRAIN:], y[N_TRAIN:]


def build(dataset: str, loss: str, **compile_options) -> keras.Model:
    """Return the compiled model."""
    model = keras.Sequential(
        [
            keras.Input((20 if dataset == "regression" else 2,)),
            keras.layers.Dense(HIDDEN_UNITS[dataset], activation="relu", kernel_initializer="he_uniform"),
            keras.layers.Dense(3 if dataset == "blobs" else 1, activation=ACTIVATIONS[loss]),
        ]
    )
    metric = "mse" if dataset == "regression" else "accuracy"
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
    model.compile(loss=loss, optimizer=optimizer, metrics=[metric], **compile_options)
    return model
