"""What the values of a cell must be: ranges and combinations, all that is wrong at once."""

import math
from typing import Any

from lossbench.datasets.catalogue import DATASETS, SCALINGS, SPLITS, described, n_outputs, split_counts
from lossbench.ground.errors import Problem, unknown
from lossbench.ground.seeds import parse_seeds
from lossbench.ground.user_functions import find_function
from lossbench.losses.choice import COMPOSITE, CUSTOM
from lossbench.losses.definition import Loss, Parameter
from lossbench.losses.heads import ENCODINGS, HEADS, TASKS
from lossbench.losses.pairing import ALIASES, LOSSES
from lossbench.metrics.catalogue import METRICS
from lossbench.planning.study_validation import study_problems

ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "gelu", "selu", "silu", "softplus", "leaky_relu", "linear")
INITIALIZERS = ("he_uniform", "he_normal", "glorot_uniform", "glorot_normal", "lecun_uniform", "lecun_normal")
TRAINERS = ("compiled", "fit")
RERUNS = ("none", "failed", "all")
SAVED_MODELS = ("none", "best", "all")
# What can be corrupted: targets of these tasks.
CORRUPTED_TASKS = {
    "label_noise": ("binary", "multiclass"),
    "outliers": ("regression",),
    "imbalance": ("binary", "multiclass"),
}


def validate(settings: dict[str, Any]) -> list[Problem]:
    """Return all that is wrong with the values of a typed cell: ranges and combinations.

    Parameters
    ----------
    settings : dict
        A cell whose types hold; ``head`` and ``loss`` resolved, and the loss validated (``validate_loss``).
    """
    problems = _value_problems(settings)
    return problems + study_problems(settings, lambda changed: validate_loss(changed) + _value_problems(changed))


def _value_problems(settings: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with all but the study."""
    check = _Checker(settings)
    for name in ("epochs", "batch_size", "evaluate_every"):
        check.within(name, 1, 10**9)
    check.one_of("trainer", TRAINERS)
    check.one_of("rerun", RERUNS)
    check.one_of("tracking.models", SAVED_MODELS)
    _check_seeds(check)
    _check_dataset(check)
    _check_model(check)
    _check_optimizer(check)
    _check_schedule(check)
    _check_selection(check)
    _check_corruption(check)
    unknown_metrics = [name for name in settings["report"]["metrics"] if name not in METRICS]
    check.problems += [unknown("metric in report.metrics", name, METRICS) for name in unknown_metrics]
    return check.problems


def validate_loss(settings: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a typed cell's ``loss`` and ``head`` settings; writes matrices out in them."""
    check = _Checker(settings)
    check.one_of("head.encoding", ("auto", *ENCODINGS))
    dataset = settings["dataset"]
    n_classes = n_outputs(described(dataset), dataset)
    loss = settings["loss"]
    if loss["name"] == CUSTOM:
        _check_custom(check)
    elif loss["name"] == COMPOSITE:
        for name, own in loss["terms"].items():
            _check_parameters(check, f"loss.terms.{name}", LOSSES[name], own, n_classes)
            if not (_is_number(own["weight"]) and own["weight"] > 0.0):
                check.add(f"loss.terms.{name} must have a weight above 0; got {own['weight']!r}.")
    else:
        _check_parameters(check, "loss", LOSSES[loss["name"]], loss, n_classes)
    return check.problems


class _Checker:
    """Looks values up by their dotted keys and collects what is wrong."""

    def __init__(self, settings: dict[str, Any]):
        self.settings = settings
        self.problems: list[Problem] = []

    def value(self, key: str) -> Any:
        value: Any = self.settings
        for part in key.split("."):
            value = value[part]
        return value

    def add(self, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, hint))

    def within(self, key: str, low: float, high: float) -> None:
        """Both ends are allowed; NaN never is."""
        value = self.value(key)
        if not low <= value <= high:
            limit = f"at least {low:g}" if value < low else f"at most {high:g}"
            self.add(f"{key} must be {limit if not math.isnan(value) else 'a number'}; got {value:g}.")

    def one_of(self, key: str, allowed) -> None:
        if self.value(key) not in allowed:
            self.add(f"{key} must be one of {', '.join(allowed)}; got {self.value(key)!r}.")


def _check_seeds(check: _Checker) -> None:
    try:
        check.settings["seeds"] = parse_seeds(check.settings["seeds"])
    except ValueError as error:
        check.add(str(error), "seeds=30 means the seeds 0 to 29, 'seeds=[3,5]' these two, seed=3 this one.")


def _check_dataset(check: _Checker) -> None:
    settings = check.settings["dataset"]
    info = described(settings)
    for name, (low, high) in info.ranges.items():
        check.within(f"dataset.{name}", low, high)
    _check_split(check, settings.get("n_samples", info.n_samples))
    # Two of the other features of imbalanced data are mixtures of the informative ones.
    others = 2 if info.name == "imbalanced" else 0
    if "n_informative" in settings and settings["n_informative"] + others > settings["n_features"]:
        check.add(
            f"dataset.n_informative must be at most dataset.n_features{f' - {others}' if others else ''}; "
            f"got {settings['n_informative']} of {settings['n_features']}."
        )
    weights = settings.get("weights", [0.5, 0.5])
    if len(weights) != 2 or not all(0.0 < weight < 1.0 for weight in weights) or abs(sum(weights) - 1.0) > 1e-9:
        check.add(f"dataset.weights must be the shares of two classes, above 0 and 1 in sum; got {weights}.")
    check.one_of("dataset.standardize.x", SCALINGS)
    check.one_of("dataset.standardize.y", SCALINGS)
    check.one_of("dataset.standardize.fitted_on", ("train", "all_rows"))
    check.one_of("dataset.standardize.metrics", ("original", "scaled"))
    if info.task != "regression" and settings["standardize"]["y"] != "none":
        check.add(f"dataset.standardize.y must be none for {TASKS[info.task]}; got {settings['standardize']['y']}.")


def _check_split(check: _Checker, n_samples: int) -> None:
    split = check.settings["dataset"]["split"]
    n_problems = len(check.problems)
    for name in SPLITS:
        value = split[name]
        if not (type(value) is int and value >= 0) and not (isinstance(value, float) and 0.0 <= value < 1.0):
            check.add(f"dataset.split.{name} must be a count, or a share below 1; got {value!r}.")
    if len(check.problems) > n_problems:
        return
    counts = dict(zip(SPLITS, split_counts(split, n_samples), strict=True))
    for name in ("train", "test"):
        if counts[name] < 1:
            of = f"{n_samples} rows of {path}" if (path := check.settings["dataset"].get("path")) else n_samples
            check.add(f"dataset.split.{name} must be at least one sample; got {split[name]!r} of {of}.")
    if sum(counts.values()) > n_samples:
        taken = ", ".join(f"{name} {count}" for name, count in counts.items())
        shares = all(isinstance(split[name], float) for name in SPLITS if split[name])
        hint = f"shares of all samples, 1 in sum: {_fitting(split)}" if shares else "take fewer."
        if "n_samples" in check.settings["dataset"] and not shares:
            hint = "raise dataset.n_samples."
        where = check.settings["dataset"].get("path") or "the data set"
        message = f"dataset.split takes {sum(counts.values())} samples ({taken}); {where} has {n_samples}."
        check.add(message, hint)
    if split["seed"] is not None:
        check.within("dataset.split.seed", 0, 2**32 - 1)


def _fitting(split: dict[str, Any]) -> str:
    """Return shares that leave the other splits what they have, and the training what remains."""
    rest = 1.0 - split["validation"] - split["test"]
    if rest > 0.0:
        return f"dataset.split.train={rest:g}"
    return "dataset.split.train=0.6 dataset.split.validation=0.1 dataset.split.test=0.3"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_parameters(check: _Checker, prefix: str, loss: Loss, settings: dict[str, Any], n_classes: int) -> None:
    for parameter in loss.parameters:
        key, value = f"{prefix}.{parameter.name}", settings[parameter.name]
        if parameter.matrix:
            settings[parameter.name] = _check_matrix(check, key, parameter, value, n_classes)
        elif not _is_number(value):
            check.add(f"{key} must be a number; got {value!r}.")
        elif problem := parameter.problem(value):
            check.add(f"{key} {problem}.")


def _check_matrix(check: _Checker, key: str, parameter: Parameter, value: Any, n_classes: int) -> Any:
    """Return a matrix with its numbers as floats; null is 1 for every confusion."""
    if value is None:
        return [[float(i != j) for j in range(n_classes)] for i in range(n_classes)]
    rows = value if isinstance(value, list) else []
    square = len(rows) == n_classes and all(isinstance(row, list) and len(row) == n_classes for row in rows)
    if not square or not all(_is_number(entry) for row in rows for entry in row):
        check.add(
            f"{key} must be {n_classes} rows of {n_classes} numbers, one for each class; got {value!r}.",
            f"a row for each true class: '{key}=[[0,1],[5,0]]' makes a missed class 1 cost 5.",
        )
        return value
    problems = [problem for row in rows for entry in row if (problem := parameter.problem(entry))]
    if problems:
        check.add(f"each number of {key} {problems[0]}.")
    return [[float(entry) for entry in row] for row in rows]


def _check_custom(check: _Checker) -> None:
    loss = check.settings["loss"]
    check.one_of("loss.task", tuple(TASKS))
    check.one_of("loss.encoding", tuple(ENCODINGS))
    check.one_of("loss.head", tuple(HEADS))
    if not isinstance(loss["parameters"], dict) or not all(map(_is_number, loss["parameters"].values())):
        check.add(
            f"loss.parameters must be a number for each name; got {loss['parameters']!r}.",
            "'loss.parameters={scale: 2.0}' calls the function with scale=2.0.",
        )
    _check_function(check, "loss", loss)


def _check_model(check: _Checker) -> None:
    model = check.settings["model"]
    for name in ("hidden_units", "units", "filters"):
        if name in model:
            model[name] = _layer_sizes(check, f"model.{name}", model[name], at_least=0 if model["name"] == "cnn" else 1)
    if "activation" in model:
        check.one_of("model.activation", ACTIVATIONS)
        check.one_of("model.initializer", INITIALIZERS)
    for name in ("initializer_scale", "output_scale"):
        if name in model and not 0.0 < model[name] <= 1e6:
            check.add(f"model.{name} must be above 0 and at most 1e+06; got {model[name]:g}.")
    if "dropout" in model and not 0.0 <= model["dropout"] < 1.0:
        check.add(f"model.dropout must be at least 0 and below 1; got {model['dropout']:g}.")
    for name, (low, high) in {"l2": (0.0, 1e6), "kernel_size": (1, 1000), "pooling": (1, 1000)}.items():
        if name in model:
            check.within(f"model.{name}", low, high)
    if "cell" in model:
        check.one_of("model.cell", ("simple", "gru", "lstm"))
    if "shape" in model:
        _check_shape(check, model)
    if model["name"] == "custom":
        _check_function(check, "model", model)


def _layer_sizes(check: _Checker, key: str, value: Any, at_least: int) -> Any:
    """Return a number for each layer as a list; one number is one layer."""
    sizes = [value] if type(value) is int else value
    if isinstance(sizes, list) and len(sizes) >= at_least and all(type(n) is int and 1 <= n <= 10**6 for n in sizes):
        return sizes
    check.add(
        f"{key} must be a number of at least 1 for each layer; got {value!r}.",
        f"{key}=50 is one layer, '{key}=[50,20]' are two.",
    )
    return value


def _check_shape(check: _Checker, model: dict[str, Any]) -> None:
    """Resolve the shape that a model sees samples in: the data set's own, where the model needs one."""
    own = DATASETS[check.settings["dataset"]["name"]].shape
    if model["shape"] is None and model["name"] == "cnn":
        model["shape"] = list(own) or None
    elif model["shape"] is None and model["name"] == "rnn":
        model["shape"] = [own[0], math.prod(own[1:])] if own else None
    rank = {"cnn": 3, "rnn": 2}.get(model["name"])
    shape = model["shape"]
    if shape is None and rank is None:
        return
    names = {3: "[height,width,channels]", 2: "[steps,features]"}.get(rank or 0, "numbers, such as [28,28,1]")
    numbers = isinstance(shape, list) and all(type(n) is int and n >= 1 for n in shape)
    if not numbers or (rank and len(shape) != rank):
        got = f"dataset={check.settings['dataset']['name']} has none of its own" if shape is None else f"got {shape!r}"
        check.add(f"model.shape must be {names}; {got}.", "its product is the number of features.")


def _check_function(check: _Checker, group: str, settings: dict[str, Any]) -> None:
    """Check the user's own function, and put its file's digest into the settings: another one gives other numbers."""
    found = find_function(f"{group}.function", settings["function"])
    if isinstance(found, Problem):
        check.problems.append(found)
    else:
        settings["digest"] = found


def _check_optimizer(check: _Checker) -> None:
    optimizer = check.settings["optimizer"]
    if not 0.0 < optimizer["learning_rate"] <= 1e6:
        check.add(f"optimizer.learning_rate must be above 0 and at most 1e+06; got {optimizer['learning_rate']:g}.")
    for name in ("momentum", "beta_1", "beta_2", "rho"):
        if name in optimizer and not 0.0 <= optimizer[name] < 1.0:
            check.add(f"optimizer.{name} must be at least 0 and below 1; got {optimizer[name]:g}.")
    if "epsilon" in optimizer and not 0.0 < optimizer["epsilon"] <= 1.0:
        check.add(f"optimizer.epsilon must be above 0 and at most 1; got {optimizer['epsilon']:g}.")
    for name in ("weight_decay", "initial_accumulator_value"):
        if name in optimizer:
            check.within(f"optimizer.{name}", 0.0, 1e6)
    clipped = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if optimizer[name] is not None]
    for name in clipped:
        if not 0.0 < optimizer[name] < math.inf:
            check.add(f"optimizer.{name} must be above 0, or null for none; got {optimizer[name]:g}.")
    if len(clipped) > 1:
        check.add(f"gradients are clipped in one way; got {' and '.join(f'optimizer.{name}' for name in clipped)}.")
    if optimizer.get("nesterov") and optimizer["momentum"] == 0.0:
        check.add("optimizer.nesterov=true needs a momentum above 0; got optimizer.momentum=0.")


def _check_schedule(check: _Checker) -> None:
    schedule, epochs = check.settings["schedule"], check.settings["epochs"]
    check.within("schedule.warmup_epochs", 0, 10**9)
    if schedule["warmup_epochs"] > max(1, epochs):
        check.add(f"schedule.warmup_epochs must be at most epochs; got {schedule['warmup_epochs']} of {epochs}.")
    if "final" in schedule:
        low, high = (0.0, 1.0) if schedule["name"] == "cosine" else (1e-12, 1.0)
        check.within("schedule.final", low, high)


def _check_selection(check: _Checker) -> None:
    """Check how weights are selected; early stopping keeps the best ones."""
    settings, early = check.settings, check.settings["early_stopping"]
    check.one_of("select", ("last", "best"))
    check.within("early_stopping.min_delta", 0.0, 1e30)
    if early["patience"] is not None:
        check.within("early_stopping.patience", 1, 10**9)
        settings["select"] = "best"
    if settings["select"] == "best" and settings["dataset"]["split"]["validation"] in (0, 0.0):
        asked = "select=best" if early["patience"] is None else "early_stopping.patience"
        check.add(
            f"{asked} needs a validation split; dataset.split.validation is 0.",
            "give it a count or a share, and take as much from train: dataset.split.train=0.5 "
            "dataset.split.validation=0.1, say.",
        )


def _check_corruption(check: _Checker) -> None:
    corruption, dataset = check.settings["corruption"], check.settings["dataset"]
    name, info = corruption["name"], described(dataset)
    if name != "none" and info.task not in CORRUPTED_TASKS[name]:
        wanted = " or ".join(TASKS[task] for task in CORRUPTED_TASKS[name])
        fitting = [other for other, tasks in CORRUPTED_TASKS.items() if info.task in tasks]
        check.add(
            f"corruption={name} is for {wanted}; dataset={info.name} has {TASKS[info.task]}.",
            f"use corruption={' or corruption='.join(fitting)}." if fitting else "leave it out.",
        )
        return
    if "rate" in corruption:
        check.within("corruption.rate", 0.0, 1.0)
    if "scale" in corruption:
        check.within("corruption.scale", 0.0, 1e6)
    if "share" in corruption and not 0.0 < corruption["share"] <= 1.0:
        check.add(f"corruption.share must be above 0 and at most 1; got {corruption['share']:g}.")
    if corruption.get("rare_class") is not None:
        check.within("corruption.rare_class", 0, n_outputs(info, dataset) - 1)


def report_problems(report: dict[str, Any], losses: list[str]) -> list[Problem]:
    """Return what is wrong with the settings of a report on these losses; an alias becomes the name in use."""
    check = _Checker({"report": report})
    if report["baseline"] is not None:
        report["baseline"] = ALIASES.get(report["baseline"], report["baseline"])
        if report["baseline"] not in losses:
            known = unknown("loss", report["baseline"], dict.fromkeys(losses))
            check.add(f"report.baseline must be a loss of the sweep; got {report['baseline']}.", known.hint)
    if report["margin"] is not None:
        check.within("report.margin", 0.0, math.inf)
    for name in report["margins"]:
        check.within(f"report.margins.{name}", 0.0, math.inf)
    return check.problems
