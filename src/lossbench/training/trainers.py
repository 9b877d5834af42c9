"""The table of trainers: functions that train and predict, by the name in ``trainer=``."""

from lossbench.training.compiled import predict_compiled, train_compiled
from lossbench.training.kept_trainings import trained_once
from lossbench.training.keras_fit import predict_with_fit, train_with_fit

TRAIN = {"compiled": trained_once(train_compiled), "fit": train_with_fit}
PREDICT = {"compiled": predict_compiled, "fit": predict_with_fit}
