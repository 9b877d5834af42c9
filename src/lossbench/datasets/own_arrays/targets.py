"""Infers the task of an array of targets, or checks the one that is set."""

from dataclasses import dataclass, field

import numpy as np

from lossbench.datasets.own_arrays.given import Given, shape_in_words
from lossbench.datasets.user_file.targets import SUM_TOLERANCE, Target
from lossbench.ground.control_characters import control_character
from lossbench.losses.heads import TASKS

# Whole numbers are names of classes if each has, on average, at least so many rows.
ROWS_PER_CLASS = 10
NAMES_SHOWN = 5
CLASSES = ("binary", "multiclass")


@dataclass(frozen=True)
class Inferred:
    """A target, what it was taken for in words, and what is suspicious about that."""

    target: Target
    words: str
    warnings: list[str] = field(default_factory=list)


def infer_target(given: Given, task: str) -> Inferred:
    """Return the target of given arrays.

    Floating-point numbers are numbers; whole numbers, texts and true and false are classes. Of several columns, 0 and 1
    are labels, or classes where each row has a single 1; shares sum to 1.

    Raises
    ------
    UsageError
        If the targets do not fit the task, or say nothing.
    """
    y = given.y
    if given.classes is not None:
        return _in_words(given, _numbered(given, given.classes, y), "")
    if y.dtype.kind not in "biufUS" or y.ndim not in (1, 2) or not y.size:
        said = f"{given.y_name} must be numbers or texts, one or several for each sample; got {shape_in_words(y)}."
        raise given.error(said, "names of classes are an array of texts: y.astype(str).")
    if len(y) != len(given.x):
        said = f"{given.x_name} has {len(given.x)} samples and {given.y_name} has {len(y)} targets."
        raise given.error(said, "each sample needs its target, in the same order.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        row = int((~np.isfinite(y.reshape(len(y), -1))).any(axis=1).argmax())
        raise given.error(f"{given.y_name} has no finite number in row {row}.", "leave out samples without a target.")
    several = y.ndim == 2 and y.shape[1] > 1
    return _several(given, y, task) if several else _one(given, y.reshape(len(y)), task)


def _one(given: Given, y: np.ndarray, task: str) -> Inferred:
    different, codes = np.unique(y, return_inverse=True)
    if len(different) < 2:
        said = f"{given.y_name} is always {_label(different[0])}: nothing to predict."
        raise given.error(said, "is it the right array?" if given.y_name != "y" else "the targets must differ.")
    if task in ("multilabel", "shares"):
        said = f"dataset.task={task} needs several targets for each sample; {given.y_name} has one."
        raise given.error(said, f"dataset.task={'binary' if len(different) == 2 else 'auto'}")
    whole = y.dtype.kind in "iu"
    classes = y.dtype.kind in "bUS" or (whole and (len(different) == 2 or len(y) >= ROWS_PER_CLASS * len(different)))
    if task == "regression" and y.dtype.kind in "US":
        said = f"dataset.task=regression needs numbers; {given.y_name} has texts, such as {_label(different[0])!r}."
        raise given.error(said, "dataset.task=auto takes them as names of classes.")
    if task == "regression" or (task == "auto" and not classes):
        could_be = whole and np.bincount(codes).min() > 1
        other = "dataset.task=multiclass takes them as classes" if could_be else ""
        found = _in_words(given, Target("regression", [], y.astype(np.float64).reshape(-1, 1)), other)
        if task == "auto" and not whole and len(different) <= NAMES_SHOWN * 2 and (different % 1 == 0).all():
            shown = ", ".join(map(_label, different))
            as_classes = "binary" if len(different) == 2 else "multiclass"
            said = f"{given.y_name} has {shown} only and is taken as numbers; as classes: dataset.task={as_classes}"
            found.warnings.append(said)
        return found
    if task in CLASSES and (task == "binary") != (len(different) == 2):
        shown = ", ".join(map(_label, different[:NAMES_SHOWN]))
        more = ", …" if len(different) > NAMES_SHOWN else ""
        n_wanted, other = ("two", "multiclass") if task == "binary" else ("more than two", "binary")
        said = f"dataset.task={task} needs {n_wanted} classes; {given.y_name} has {len(different)}: {shown}{more}."
        raise given.error(said, f"dataset.task={other}")
    target = _numbered(given, [_label(value) for value in different], codes)
    _check_classes(given, target)
    number = "dataset.task=regression takes them as numbers" if whole and task == "auto" else ""
    return _in_words(given, target, number)


def _several(given: Given, y: np.ndarray, task: str) -> Inferred:
    if y.dtype.kind in "US":
        said = f"{given.y_name} has several texts for each sample; several targets must be numbers."
        raise given.error(said, "several labels are columns of 0 and 1.")
    values = y.astype(np.float64)
    names = [f"{given.y_name}{i}" for i in range(values.shape[1])]
    labels = bool(np.isin(values, (0.0, 1.0)).all())
    sums = values.sum(axis=1)
    single = labels and bool((sums == 1.0).all())
    shares = bool((values >= 0.0).all() and (np.abs(sums - 1.0) <= SUM_TOLERANCE).all())
    if task == "auto":
        task = "multiclass" if single else "multilabel" if labels else "shares" if shares else "regression"
        task = "binary" if single and values.shape[1] == 2 else task
    fits = {"regression": True, "multilabel": labels, "shares": shares, "multiclass": single, "binary": single}
    if not fits[task] or (task == "binary" and values.shape[1] != 2):
        needs = {
            "multilabel": "0 or 1 in every target",
            "shares": "shares from 0 that sum to 1",
            "multiclass": "one number or text for each sample, or a single 1 among 0 in each row",
            "binary": "one number or text for each sample, or a single 1 among two columns",
        }[task]
        raise given.error(f"dataset.task={task} needs {needs}; {given.y_name} has others.", "dataset.task=auto")
    if task in CLASSES:
        target = _numbered(given, [str(i) for i in range(values.shape[1])], values.argmax(axis=1))
        _check_classes(given, target)
        return _in_words(given, target, "dataset.task=multilabel takes its columns as labels")
    values = values / values.sum(axis=1, keepdims=True) if task == "shares" else values
    return _in_words(given, Target(task, names if task != "regression" else [], values), "")


def _numbered(given: Given, labels: list[str], codes: np.ndarray) -> Target:
    for label in labels:
        if control := control_character(label):
            said = f"the class {label!a} has the control character {control}."
            raise given.error(said, "write the classes without it.")
    return Target("binary" if len(labels) == 2 else "multiclass", labels, codes.reshape(-1).astype(np.int64))


def _check_classes(given: Given, target: Target) -> None:
    """Raise UsageError if a class has fewer than two samples: one to train on, one to judge by."""
    counts = np.bincount(target.values, minlength=len(target.labels))
    alone = [label for label, count in zip(target.labels, counts, strict=True) if count < 2]
    if not alone:
        return
    more = f" (as have {len(alone) - 1} of its {len(counts)} classes more)" if len(alone) > 1 else ""
    hint = "each class needs a sample to train on and one to judge by: leave it out, or join classes"
    number = given.y.dtype.kind in "iuf" and given.y.ndim == 1
    said = f"class {alone[0]!r} of {given.y_name} has fewer than two samples{more}."
    raise given.error(said, hint + ("; as numbers: dataset.task=regression" if number else "."))


def _in_words(given: Given, target: Target, otherwise: str) -> Inferred:
    """Return a target with its sentence, and how it would be taken otherwise."""
    if target.values.ndim == 2:
        n = target.values.shape[1]
        words = f"{given.y_name}: {TASKS[target.task]} ({target.task}{f', {n} of them' if n > 1 else ''})"
    else:
        labels = ", ".join(target.labels[:NAMES_SHOWN]) + (", …" if len(target.labels) > NAMES_SHOWN else "")
        words = f"{given.y_name}: {len(target.labels)} classes, {labels} ({target.task})"
    return Inferred(target, words + (f"; {otherwise}" if otherwise else ""))


def _label(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(int(value)) if isinstance(value, np.floating) and float(value) % 1 == 0 else str(value)
