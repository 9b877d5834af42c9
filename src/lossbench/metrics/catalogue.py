"""What losses are compared by, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric, as data.

    Attributes
    ----------
    tasks : tuple of str
        Of ``heads.TASKS``.
    description : str
        What it is, with its unit and where it is absent.
    lower_is_better : bool
        Whether less is better.
    """

    name: str
    tasks: tuple[str, ...]
    description: str
    lower_is_better: bool = False


_NUMBERS, _CLASSES, _LABELS = ("regression", "shares"), ("binary", "multiclass"), ("multilabel",)
_SEVERAL = ("multiclass",)

# Levels of the pinball loss that predictions of numbers are judged by: of every loss alike, whatever its own level.
PINBALL_LEVELS = (0.1, 0.9)
# Among how many of the first classes the true one is looked for, where there are more classes.
TOP_COUNTS = (2, 3, 5)
# What is computed again from calibrated probabilities, under this prefix.
PROBABILITY_METRICS = ("log_loss", "brier", "calibration_error")
CALIBRATED = "calibrated/"

_ROWS = (
    Metric("mse", _NUMBERS, "mean squared error, in the target's unit squared; mean over outputs", True),
    Metric("rmse", _NUMBERS, "root of the mean squared error of all outputs together, in the target's unit", True),
    Metric("mae", _NUMBERS, "mean absolute error, in the target's unit", True),
    Metric("median_absolute_error", _NUMBERS, "half of the errors are smaller, in the target's unit", True),
    Metric("largest_absolute_error", _NUMBERS, "the worst sample's error of any output, in the target's unit", True),
    Metric("r2", _NUMBERS, "share of the variance that is explained; 0 for the mean, 1 for no error"),
    Metric("explained_variance", _NUMBERS, "as r2, but an error that is the same everywhere does not count"),
    *(
        Metric(
            f"pinball_{level}",
            _NUMBERS,
            f"a unit too low costs {level:g}, too high {1 - level:g}: least at the quantile {level:g}",
            True,
        )
        for level in PINBALL_LEVELS
    ),
    Metric("accuracy", _CLASSES, "share of right decisions, by the head's own rule"),
    Metric("rounded_accuracy", ("binary",), "tanh only: share of outputs that round to the target"),
    Metric("balanced_accuracy", _CLASSES, "share of each class that is decided right, mean over classes"),
    Metric(
        "f1",
        (*_CLASSES, *_LABELS),
        "harmonic mean of precision and recall, mean over classes (those that occur or are decided) or labels",
    ),
    Metric("matthews", _CLASSES, "correlation of decided and true class: 0 for a constant, 1 for no error"),
    Metric("roc_auc", _CLASSES, "chance that a sample of the class scores above another; mean over classes"),
    Metric("average_precision", _CLASSES, "area below precision over recall; several classes: mean over them"),
    *(
        Metric(
            f"top_{k}_accuracy", _SEVERAL, f"share whose class is among the {k} of largest output; where there are more"
        )
        for k in TOP_COUNTS
    ),
    Metric("class_mae", _SEVERAL, "ordered classes: how many classes the decision is off, mean", True),
    Metric(
        "quadratic_kappa", _SEVERAL, "ordered classes: agreement, far confusions counting squared; 0 for a constant"
    ),
    Metric("log_loss", _CLASSES, "mean of -log p of the true class, in nats; where there is a probability", True),
    Metric("brier", _CLASSES, "mean squared error of the probabilities; where there are some", True),
    Metric(
        "calibration_error",
        _CLASSES,
        "how far the decided class's probability is from the share of right decisions, over 15 equal groups; "
        "where there are probabilities",
        True,
    ),
    Metric("subset_accuracy", _LABELS, "share of samples whose labels are all right"),
    Metric("hamming_loss", _LABELS, "share of labels that are wrong", True),
)

METRICS = {metric.name: metric for metric in _ROWS} | {
    f"{CALIBRATED}{name}": Metric(
        f"{CALIBRATED}{name}",
        _CLASSES,
        f"{name} after a calibration on the validation split; of any loss, test only",
        True,
    )
    for name in PROBABILITY_METRICS
}

# What losses are compared by first, for each task.
MAIN_METRICS = {
    "regression": "rmse",
    "binary": "accuracy",
    "multiclass": "accuracy",
    "multilabel": "subset_accuracy",
    "shares": "rmse",
}


def lower_is_better(name: str) -> bool:
    """Say whether less of a metric, or of the loss, is better."""
    return name not in METRICS or METRICS[name].lower_is_better
