"""The table of metrics, as plain data: tasks, descriptions, which direction is better, and each task's main metric."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes
    ----------
    tasks : tuple of str
        The tasks, of ``heads.TASKS``, for which it is computed.
    description : str
        Its meaning and unit, and the cases in which it is absent; ``lossbench-list metric`` prints it.
    lower_is_better : bool
        True for errors and losses, False for scores.
    margin : str
        The key of ``report.margins`` that has its margin; '' for a metric that runs cannot be judged by (``metric``).
    unit_power : int
        The power of the targets' unit that it has: 1 for an error, 2 for a squared one, 0 for what has no unit.
    """

    name: str
    tasks: tuple[str, ...]
    description: str
    lower_is_better: bool = False
    margin: str = ""
    unit_power: int = 0


_NUMBERS, _CLASSES, _LABELS = ("regression", "shares"), ("binary", "multiclass"), ("multilabel",)
_SEVERAL = ("multiclass",)

# The levels of the pinball metrics. They are fixed, so that a pinball loss with a level of its own is compared by the
# same numbers as any other loss.
PINBALL_LEVELS = (0.1, 0.9)
# The values of k for which top-k accuracy is computed, if there are more than k classes.
TOP_COUNTS = (2, 3, 5)
# These metrics are computed a second time from calibrated probabilities, under the prefix CALIBRATED.
PROBABILITY_METRICS = ("log_loss", "brier", "calibration_error")
CALIBRATED = "calibrated/"

_ROWS = (
    Metric("mse", _NUMBERS, "mean squared error, in the target's unit squared; mean over outputs", True, "mse", 2),
    Metric(
        "rmse",
        _NUMBERS,
        "root of the mean squared error of all outputs together, in the target's unit",
        True,
        "rmse",
        1,
    ),
    Metric("mae", _NUMBERS, "mean absolute error, in the target's unit", True, "mae", 1),
    Metric(
        "median_absolute_error",
        _NUMBERS,
        "median of the absolute errors, in the target's unit; mean over outputs",
        True,
        unit_power=1,
    ),
    Metric(
        "largest_absolute_error",
        _NUMBERS,
        "largest absolute error of any sample and output, in the target's unit",
        True,
        unit_power=1,
    ),
    Metric(
        "r2",
        _NUMBERS,
        "share of the variance that is explained: 0 for predicting the mean, 1 for no error",
        margin="r2",
    ),
    Metric("explained_variance", _NUMBERS, "as r2, but a constant error (a bias) does not count"),
    *(
        Metric(
            f"pinball_{level}",
            _NUMBERS,
            f"each unit too low costs {level:g}, too high {1 - level:g}: lowest when predicting the {level:g} quantile",
            True,
            "pinball",
            1,
        )
        for level in PINBALL_LEVELS
    ),
    Metric("accuracy", _CLASSES, "share of correct decisions, by the head's decision rule", margin="accuracy"),
    Metric("rounded_accuracy", ("binary",), "tanh only: share of outputs that equal the target (-1 or 1) when rounded"),
    Metric(
        "balanced_accuracy",
        _CLASSES,
        "recall (share of a class that is decided correctly), mean over classes",
        margin="balanced_accuracy",
    ),
    Metric(
        "f1",
        (*_CLASSES, *_LABELS),
        "harmonic mean of precision and recall, mean over labels, or over the classes that occur or are predicted",
        margin="f1",
    ),
    Metric(
        "matthews",
        _CLASSES,
        "Matthews correlation of predicted and true class: 0 for a constant, 1 for no error",
        margin="matthews",
    ),
    Metric(
        "roc_auc",
        _CLASSES,
        "probability that a sample of the class scores above one of another class; mean over classes",
    ),
    Metric(
        "average_precision", _CLASSES, "area under the precision-recall curve; mean over classes if there are several"
    ),
    *(
        Metric(
            f"top_{k}_accuracy",
            _SEVERAL,
            f"share whose class is among the {k} with the largest output; only with more classes than that",
        )
        for k in TOP_COUNTS
    ),
    Metric(
        "class_mae",
        _SEVERAL,
        "ordered classes: mean distance of predicted and true class, in classes",
        True,
        "class_mae",
    ),
    Metric(
        "quadratic_kappa",
        _SEVERAL,
        "ordered classes: Cohen's kappa with quadratic weights; 0 for a constant, 1 for no error",
    ),
    Metric(
        "log_loss",
        _CLASSES,
        "mean of -log p of the true class, in nats; only for heads and losses that give probabilities",
        True,
    ),
    Metric("brier", _CLASSES, "mean squared error of the probabilities; only where there are probabilities", True),
    Metric(
        "calibration_error",
        _CLASSES,
        "mean distance between the predicted class's probability and the share of correct decisions, over 15 groups of "
        "equal size; only where there are probabilities",
        True,
    ),
    Metric("subset_accuracy", _LABELS, "share of samples with all labels correct", margin="subset_accuracy"),
    Metric("hamming_loss", _LABELS, "share of labels that are wrong", True, "hamming_loss"),
)

METRICS = {metric.name: metric for metric in _ROWS} | {
    f"{CALIBRATED}{name}": Metric(
        f"{CALIBRATED}{name}",
        _CLASSES,
        f"{name} after calibration on the validation split; for every loss, test split only",
        True,
    )
    for name in PROBABILITY_METRICS
}

# The metric of each task that runs are judged by unless ``metric`` names another.
MAIN_METRICS = {
    "regression": "rmse",
    "binary": "accuracy",
    "multiclass": "accuracy",
    "multilabel": "subset_accuracy",
    "shares": "rmse",
}


def main_metrics(task: str, *, ordered: bool) -> list[str]:
    """Return the metrics that runs of a task can be judged by; ``ordered`` says whether its classes have an order.

    Each has a value for every loss and head, a best constant, a margin, and a curve that a compiled training follows.
    """
    named = [name for name, metric in METRICS.items() if metric.margin and task in metric.tasks]
    return [name for name in named if ordered or name != "class_mae"]


def lower_is_better(name: str) -> bool:
    """Return whether a lower value is better; a name that is no metric is a loss, for which it is."""
    return name not in METRICS or METRICS[name].lower_is_better
