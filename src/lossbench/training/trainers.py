"""The training of one run: compiled into one program, or through Keras's ``Model.fit``. Knows no Hydra, no MLflow."""

from lossbench.training.compiled import predict_compiled, train_compiled
from lossbench.training.keras_fit import predict_with_fit, train_with_fit

# Each trainer by its name in the configuration.
TRAIN = {"compiled": train_compiled, "fit": train_with_fit}
PREDICT = {"compiled": predict_compiled, "fit": predict_with_fit}
