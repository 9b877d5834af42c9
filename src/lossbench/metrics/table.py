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

METRICS = {
    metric.name: metric
    for metric in (
        Metric("mse", _NUMBERS, "mean squared error, in the target's unit squared; mean over outputs", True),
        Metric("rmse", _NUMBERS, "root of the mean squared error of all outputs together, in the target's unit", True),
        Metric("mae", _NUMBERS, "mean absolute error, in the target's unit", True),
        Metric("r2", _NUMBERS, "share of the variance that is explained; 0 for the mean, 1 for no error"),
        Metric("accuracy", _CLASSES, "share of right decisions, by the head's own rule"),
        Metric(
            "rounded_accuracy",
            ("binary",),
            "tanh only: share of outputs that round to the target",
        ),
        Metric("log_loss", _CLASSES, "mean of -log p of the true class, in nats; where there is a probability", True),
        Metric("brier", _CLASSES, "mean squared error of the probabilities; where there are some", True),
        Metric("roc_auc", _CLASSES, "chance that a sample of the class scores above another; mean over classes"),
        Metric("subset_accuracy", _LABELS, "share of samples whose labels are all right"),
        Metric("hamming_loss", _LABELS, "share of labels that are wrong", True),
        Metric("f1", _LABELS, "mean over labels of the harmonic mean of precision and recall"),
    )
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
