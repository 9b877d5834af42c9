"""Writes the training of a cell as a short script of plain Keras, which runs without lossbench."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lossbench.config.optimizers import OPTIMIZERS
from lossbench.config.settings import (
    CellSettings,
    CustomDatasetSettings,
    DatasetSettings,
    FileSettings,
    LossSettings,
    MlpSettings,
    ModelSettings,
    NpzSettings,
    OptimizerSettings,
    OwnArraysSettings,
    PicturesSettings,
    plain,
    with_values,
)
from lossbench.datasets.catalogue import DATASETS, n_samples, split_counts, validation_share
from lossbench.datasets.user_file.cells import BLANKS, MISSING_TEXTS, NUMBER
from lossbench.datasets.user_file.opening import PARQUET_SUFFIXES
from lossbench.datasets.user_file.prose import ROWS_PER_WORD
from lossbench.datasets.user_file.reading import reading_of
from lossbench.export.function_source import Source
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.choice import parameter_values
from lossbench.losses.heads import HEADS, NUMBER_TASKS
from lossbench.losses.pairing import LOSSES, Pair
from lossbench.metrics.catalogue import PINBALL_LEVELS
from lossbench.planning.keys import NEUTRAL
from lossbench.planning.plan import Cell

# Arguments that make Keras's class of a loss compute the same as ours.
KERAS_ARGUMENTS: dict[str, dict[str, Any]] = {
    "binary_focal_crossentropy": {"apply_class_balancing": True},
    "categorical_focal_crossentropy": {"alpha": 1.0},
}
# Lines of the script that encode the targets, by the encodings of ``losses.heads``.
ENCODED = {
    "real": "target = y",
    "zero_one": "target = y.astype(np.float32).reshape(len(y), -1)",
    "signed": "target = (2.0 * y - 1.0).astype(np.float32).reshape(len(y), -1)",
    "one_hot": "target = np.eye({n_classes}, dtype=np.float32)[y]",
    "integer": "target = y",
}
SCALERS = {"standard": "StandardScaler", "minmax": "MinMaxScaler", "robust": "RobustScaler"}


def keras_script(cell: Cell, tuned: dict[str, Any], seed: int, score: float, for_new_rows: str = "") -> str:
    """Return a script that trains a cell with one seed and prints its main metric.

    It trains on all rows if the cell is cross-validated, and then prints the metric on them; else on the training
    split, and prints that of the test split.

    Parameters
    ----------
    cell : Cell
        The cell to train.
    tuned : dict
        The values that a study chose, by settings key, which replace the cell's own; empty for an untuned cell.
    seed : int
        The random seed of the script.
    score : float
        The main metric of lossbench's own run with this seed, named in the script for comparison.
    for_new_rows : str
        The metric to expect for new rows, with its interval, for a script that trains on all rows.

    Raises
    ------
    UsageError
        If the cell uses a setting that the script cannot express, such as a schedule or a corruption.
    """
    settings, pair = with_values(cell.settings, tuned), cell.pair
    _check(cell.name, settings)
    source = Source(imports=["import keras", "import numpy as np"])
    judged = "test" if cell.settings.folds is None else "train"
    data = _data(cell, source, judged)
    loss = _loss(settings, pair, source)
    judge = _judge(cell, pair, judged, source)
    environment = Environment(
        loader=PackageLoader("lossbench.export", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("keras_script.py.j2").render(
        title=_in_docstring(f"{cell.loss} on {cell.dataset}"),
        summary=LOSSES[settings.loss.name].meaning,
        expected=f"{judged} {cell.metric} {score:.4f}",
        for_new_rows=for_new_rows,
        judged=judged,
        imports=sorted(dict.fromkeys(source.imports), key=lambda line: (line.split()[0] != "import", line)),
        definitions=source.definitions,
        seed=seed,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        data=data,
        targets=ENCODED[_encoding(pair)].format(n_classes=cell.n_outputs),
        layers=_layers(cell, settings.model, pair),
        optimizer=_optimizer(settings.optimizer),
        loss=loss,
        judge=judge,
    )


def _in_docstring(text: str) -> str:
    """Return a text, which may have the name of a user's file, so that it cannot end the docstring that it is in."""
    return re.sub(r'"(?=")', r'\\"', " ".join(text.split()).replace("\\", r"\\"))


def _check(name: str, settings: CellSettings) -> None:
    content, model = plain(settings), settings.model
    mlp = model if isinstance(model, MlpSettings) else None
    not_written = {
        "dataset=pictures": isinstance(settings.dataset, PicturesSettings),
        f"model={model.name}": model.name not in ("mlp", "linear"),
        "model.initializer_scale": mlp is not None and mlp.initializer_scale != 1.0,
        "model.output_scale": mlp is not None and mlp.output_scale != 1.0,
        f"loss={settings.loss.name}": not isinstance(settings.loss, LossSettings),
        f"schedule={settings.schedule.name}": content["schedule"] != NEUTRAL["schedule"],
        f"corruption={settings.corruption.name}": settings.is_corrupted,
        "select=best": settings.select != "last",
        "repeat=samples": settings.draws_samples,
    }
    asked = [what for what, is_asked in not_written.items() if is_asked]
    if asked:
        raise UsageError(Problem(f"{name}: the script is written for a plain training, without {' and '.join(asked)}."))


def _data(cell: Cell, source: Source, judged: str) -> str:
    """Return the lines that make x and y, define the splits as slices, and scale."""
    settings = cell.settings.dataset
    file = settings if isinstance(settings, FileSettings) else None
    if isinstance(settings, OwnArraysSettings):
        lines = _array_lines(settings, cell.task, source)
    else:
        lines = _made_lines(settings, source) if file is None else _table_lines(file, cell.task, source)
    folds = cell.settings.folds
    seed = settings.split.seed if folds is None else [folds.seed, 0]
    if seed is not None:
        source.add("lossbench.datasets.splits:ordered_rows")
        by_class = cell.task in ("binary", "multiclass")
        lines.append(f"order = ordered_rows(y, {seed}, by_class={by_class})")
        lines.append("x, y = x[order], y[order]")
        lines += ["texts = texts.iloc[order]"] if file and file.facts.categories else []
        lines += ["prose = prose.iloc[order]"] if file and file.facts.prose else []
    if folds is None:
        counts = split_counts(settings.split, n_samples(settings))
        lines.append(f"train, {judged} = slice(0, {counts[0]}), slice({counts[0] + counts[1]}, {sum(counts)})")
    else:
        n_train = n_samples(settings) - round(validation_share(settings.split) * n_samples(settings))
        lines.append(f"train = slice(0, {n_train})")
    numbers = cell.task in NUMBER_TASKS
    if numbers:
        lines.append("y = y.reshape(len(y), -1)")
    arrays = settings if isinstance(settings, OwnArraysSettings) else None
    if (file and file.missing == "impute") or (arrays and arrays.on_missing == "impute"):
        source.imports.append("from sklearn.impute import SimpleImputer")
        lines.append('x = SimpleImputer(strategy="median", keep_empty_features=True).fit(x[train]).transform(x)')
    lines += _scaling_lines(settings, source)
    if file and file.facts.categories:
        lines += _one_hot_lines(file, source)
    if file and file.facts.prose:
        lines += _prose_lines(file, source)
    lines.append(f"x, y = x.astype(np.float32), y.astype(np.{'float32' if numbers else 'int32'})")
    return "\n".join(lines)


def _scaling_lines(settings: DatasetSettings, source: Source) -> list[str]:
    """Return the lines that scale x and y; x is not scaled if a user's file has no numeric feature."""
    how = {"x": settings.standardize.x, "y": settings.standardize.y}
    if isinstance(settings, FileSettings) and not settings.facts.numbers:
        del how["x"]
    rows = "" if settings.standardize.fitted_on == "all_rows" else "[train]"
    lines = []
    for name, scaling in how.items():
        if scaling == "pixels":
            lines.append("x = x / 255")
        if scaling in SCALERS:
            scaler = SCALERS[scaling]
            source.imports.append(f"from sklearn.preprocessing import {scaler}")
            lines += [f"{name}_scaler = {scaler}().fit({name}{rows})", f"{name} = {name}_scaler.transform({name})"]
    return lines


def _made_lines(settings: DatasetSettings, source: Source) -> list[str]:
    info = DATASETS[settings.name]
    module, _, function = info.maker.partition(":")
    if module == "sklearn.datasets":
        source.imports.append(f"from sklearn.datasets import {function}")
    else:
        source.add(info.maker)
    is_shipped = info.maker.startswith("sklearn.datasets:load_")
    given = "return_X_y=True" if is_shipped else _arguments(dict(settings.parameters), lists=True)
    return [f"x, y = {function}({given})"]


def _array_lines(settings: OwnArraysSettings, task: str, source: Source) -> list[str]:
    """Return the lines that read an .npz file, or call the user's function, for x in rows and y as it is trained on."""
    if isinstance(settings, NpzSettings):
        x, y = f"arrays[{settings.x!r}]", f"arrays[{settings.y!r}]"
        lines = [f"with np.load({settings.path!r}, allow_pickle=False) as arrays:", f"    x, y = {x}, {y}"]
    else:
        assert isinstance(settings, CustomDatasetSettings), "pictures have no script"
        module, _, function = settings.function.partition(":")
        source.imports.append(f"from {module} import {function}")
        lines = [f"x, y = map(np.asarray, {function}({_arguments(dict(settings.parameters), lists=True)}))"]
    lines.append("x = x.reshape(len(x), -1).astype(float)")
    if settings.on_missing == "drop":
        lines += ["there = ~np.isnan(x).any(axis=1)", "x, y = x[there], y[there]"]
    if task in ("binary", "multiclass"):
        lines += [
            "# Columns of 0 with a single 1 are classes too.",
            "y = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else np.unique(y, return_inverse=True)[1].ravel()",
        ]
    else:
        lines.append("y = y.reshape(len(y), -1).astype(float)")
        lines += ["y = y / y.sum(axis=1, keepdims=True)"] if task == "shares" else []
    return lines


def _table_lines(settings: FileSettings, task: str, source: Source) -> list[str]:
    """Return the lines that read a user's file: numeric columns as x, text columns as ``texts``, targets as y."""
    source.imports.append("import pandas as pd")
    facts, targets = settings.facts, settings.target
    reading = reading_of(settings)
    missing = [*MISSING_TEXTS, *map(str, settings.missing_values)]
    if settings.path.lower().endswith(PARQUET_SUFFIXES):
        lines = [f"table = pd.read_parquet({settings.path!r})"]
    elif reading.is_json:
        given: dict[str, Any] = {"lines": True, "dtype": False, "precise_float": True}
        given["encoding"] = settings.encoding
        lines = [f"table = pd.read_json({settings.path!r}, {_arguments(given, lists=True)})"]
        lines.append(f"table = table.mask(table.astype(str).isin({missing!r})).infer_objects()")
    else:
        given = {"sep": facts.sep or reading.sep, "decimal": settings.decimal}
        given["encoding"] = settings.encoding
        given["skipinitialspace"] = True
        if facts.n_above:
            given["skiprows"] = facts.n_above
        if settings.missing_values:
            given["na_values"] = settings.missing_values
        lines = [f"table = pd.read_csv({settings.path!r}, {_arguments(given, lists=True)})"]
    lines += [_reading_line(name, how, settings) for name, how in facts.readings.items()]
    used = targets if settings.missing == "impute" else [*targets, *facts.numbers, *facts.categories]
    if settings.missing != "error":
        lines.append(f"table = table.dropna(subset={used!r})")
    lines.append(f"x = table[{facts.numbers!r}].to_numpy(float)")
    if facts.categories:
        lines.append(f"texts = table[{facts.categories!r}]")
    if facts.prose:
        lines.append(f'prose = table[{list(facts.prose)!r}].fillna("").astype(str)')
    if task in ("binary", "multiclass"):
        lines += [
            f"labels = {facts.labels!r}",
            f"y = table[{targets[0]!r}].astype(str).map({{label: i for i, label in enumerate(labels)}}).to_numpy()",
        ]
    else:
        lines.append(f"y = table[{targets!r}].to_numpy(float)")
    return lines


def _reading_line(name: str, how: str, settings: FileSettings) -> str:
    """Return the line that reads a column whose cells are not taken as they are: numbers with signs, padded texts."""
    kind, _, taken_out = how.partition(" ")
    if kind != NUMBER:
        return f"table[{name!r}] = table[{name!r}].str.strip().mask(lambda texts: texts.isin({list(MISSING_TEXTS)!r}))"
    signs = f"[{re.escape(taken_out)}{BLANKS}]"
    point = f'.str.replace({settings.decimal!r}, ".")' if settings.decimal != "." else ""
    without = f"table[{name!r}].str.replace({signs!r}, '', regex=True){point}"
    return f'table[{name!r}] = pd.to_numeric({without}, errors="coerce")'


def _one_hot_lines(settings: FileSettings, source: Source) -> list[str]:
    source.imports.append("from sklearn.preprocessing import OneHotEncoder")
    lines = []
    if settings.missing == "impute":
        given = 'strategy="most_frequent", keep_empty_features=True'
        lines = [
            "texts = texts.astype(object).where(texts.notna(), None)",
            f"imputer = SimpleImputer(missing_values=None, {given}).fit(texts[train])",
            "texts = pd.DataFrame(imputer.transform(texts))",
        ]
    return [
        *lines,
        'encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(texts[train].to_numpy())',
        "x = np.hstack([x, encoder.transform(texts.to_numpy())])",
    ]


def _prose_lines(settings: FileSettings, source: Source) -> list[str]:
    source.imports.append("from sklearn.feature_extraction.text import TfidfVectorizer")
    return [
        f"for name, width in {dict(settings.facts.prose)!r}.items():",
        f"    vectorizer = TfidfVectorizer(min_df={ROWS_PER_WORD}, max_features=width).fit(prose[name].iloc[train])",
        "    x = np.hstack([x, vectorizer.transform(prose[name]).toarray()])",
    ]


def _encoding(pair: Pair) -> str:
    return "integer" if pair.loss == "sparse_categorical_crossentropy" else pair.encoding


def _loss(settings: CellSettings, pair: Pair, source: Source) -> str:
    """Return the expression of the loss: Keras's class if there is one, else our function with its parameters.

    Two classes of Keras are not used: in its Tversky loss alpha and beta are swapped, and its generalized
    cross-entropy takes integer classes where ours takes one-hot targets.
    """
    row, parameters = LOSSES[pair.loss], parameter_values(settings.loss)
    if row.keras and pair.loss not in ("tversky", "generalized_crossentropy"):
        return f"keras.losses.{row.keras}({_arguments(parameters | KERAS_ARGUMENTS.get(pair.loss, {}))})"
    source.add(pair.function)
    name = pair.function.partition(":")[2]
    given = f", {_arguments(parameters)}" if parameters else ""
    return f"lambda y_true, y_pred: {name}(y_true, y_pred{given})"


def _arguments(given: dict[str, Any], *, lists: bool = False) -> str:
    """Return keyword arguments as source code; lists become ``np.array(…)`` unless ``lists`` is true."""
    written = {k: f"np.array({v!r})" if isinstance(v, list) and not lists else repr(v) for k, v in given.items()}
    return ", ".join(f"{key}={value}" for key, value in written.items())


def _is_raw(pair: Pair) -> bool:
    """Return whether the network ends in raw predictions: our loss takes them, and no class of Keras replaces it."""
    return pair.on_raw and (not LOSSES[pair.loss].keras or pair.loss == "generalized_crossentropy")


def _hidden_layers(model: MlpSettings) -> list[str]:
    layers = []
    for n_units in model.hidden_units:
        initializer = f"kernel_initializer={model.initializer!r}"
        penalty = f", kernel_regularizer=keras.regularizers.L2({model.l2})" if model.l2 else ""
        if model.batch_normalization:
            first = f"keras.layers.Dense({n_units}, use_bias=False, {initializer}{penalty})"
            activation = f"keras.layers.Activation({model.activation!r})"
            layers += [first, "keras.layers.BatchNormalization()", activation]
        else:
            layers.append(f"keras.layers.Dense({n_units}, activation={model.activation!r}, {initializer}{penalty})")
        if model.dropout:
            layers.append(f"keras.layers.Dropout({model.dropout})")
    return layers


def _layers(cell: Cell, model: ModelSettings, pair: Pair) -> list[str]:
    layers = _hidden_layers(model) if isinstance(model, MlpSettings) else []
    n_outputs = 1 if pair.encoding in ("zero_one", "signed") and cell.task == "binary" else cell.n_outputs
    n_raw = n_outputs * len(HEADS[pair.head].statistics)
    activation = HEADS[pair.head].activation
    given = "" if activation == "linear" or _is_raw(pair) else f", activation={activation!r}"
    return [*layers, f"keras.layers.Dense({n_raw}{given})"]


def _optimizer(settings: OptimizerSettings) -> str:
    given = {key: value for key, value in plain(settings).items() if key != "name" and value is not None}
    return f"keras.optimizers.{OPTIMIZERS[settings.name].keras}({_arguments(given)})"


# The main metric as an expression of ``true`` and ``prediction``, or ``decided``, with scikit-learn where it has one.
_OF_NUMBERS = {
    "rmse": "np.sqrt(np.mean((true - prediction) ** 2))",
    "mse": "np.mean((true - prediction) ** 2)",
    "mae": "np.mean(np.abs(true - prediction))",
    "r2": "r2_score(true, prediction)",
    **{f"pinball_{level}": f"mean_pinball_loss(true, prediction, alpha={level})" for level in PINBALL_LEVELS},
}
_OF_DECISIONS = {
    "accuracy": "np.mean(({decided} == y[{judged}]))",
    "balanced_accuracy": "balanced_accuracy_score(y[{judged}], {decided})",
    "matthews": "matthews_corrcoef(y[{judged}], {decided})",
    "f1": 'f1_score(y[{judged}], {decided}, average="macro", zero_division=0)',
    "class_mae": "np.mean(np.abs({decided} - y[{judged}]))",
    "subset_accuracy": "np.mean(({decided} == y[{judged}]).all(axis=1))",
    "hamming_loss": "np.mean({decided} != y[{judged}])",
}


def _judge(cell: Cell, pair: Pair, judged: str, source: Source) -> str:
    """Return the lines that print the main metric."""
    expression = (_OF_NUMBERS if cell.task in NUMBER_TASKS else _OF_DECISIONS)[cell.metric]
    function = expression.partition("(")[0]
    if "." not in function:
        source.imports.append(f"from sklearn.metrics import {function}")
    printed = f'print("{judged} {cell.metric}", float({expression}))'
    if cell.task in NUMBER_TASKS:
        activation = HEADS[pair.head].activation
        raw = _is_raw(pair) and activation != "linear"
        activated = f"keras.activations.get({activation!r})(output)" if raw else "output"
        lines = [f"prediction, true = np.asarray({activated})[:, : y.shape[1]], y[{judged}]"]
        standardize = cell.settings.dataset.standardize
        if standardize.y in SCALERS and standardize.metrics == "original":
            lines.append("prediction, true = y_scaler.inverse_transform(prediction), y_scaler.inverse_transform(true)")
        return "\n".join([*lines, printed])
    if pair.encoding in ("one_hot", "integer"):
        decided = "output.argmax(axis=1)"
    else:
        middle = {"tanh": 0.0, "linear": 0.5 if pair.encoding == "zero_one" else 0.0}.get(pair.head, 0.5)
        decided = f"(output > {0.0 if _is_raw(pair) else middle})" + ("" if cell.task == "multilabel" else "[:, 0]")
    return printed.format(decided=decided, judged=judged)
