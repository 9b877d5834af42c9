"""The prediction code of a saved model. Every saved model has a copy of this file, which needs nothing of lossbench.

It reads ``model.json`` (preprocessing, network, and the meaning of the network's output) and ``weights.npz``. Neither
holds a pickle, so that loading a model runs no foreign code.
"""

import difflib
import json
import os
import re
import warnings
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.protos.databricks_pb2 import BAD_REQUEST

BATCH = 1024
# Added to the variance of a head that predicts mean and variance, as in training (``losses.heads.LEAST_VARIANCE``).
LEAST_VARIANCE = 1e-6
# The blanks that are taken off around cells, as in training (``user_file.cells.BLANKS``).
BLANKS = " \t\u00a0\u2009\u202f"


class RowsError(mlflow.MlflowException, ValueError):
    """The model cannot predict for the given rows; the message lists the reasons.

    It is also an ``MlflowException``, because MLflow's server sends the message of no other error to the client.
    """

    def __init__(self, message: str):
        mlflow.MlflowException.__init__(self, message, BAD_REQUEST)


class Model(mlflow.pyfunc.PythonModel):
    """A network with its preprocessing: takes rows as they stand in a file, predicts in the target's own unit."""

    def load_context(self, context: Any) -> None:
        """Read the network, its weights and the preprocessing from the model's files."""
        # TensorFlow's start-up messages about the machine would stand between the predictions.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Imported here, so that making a model does not load TensorFlow.
        import keras

        with open(context.artifacts["model"], encoding="utf-8") as file:
            self.content = json.load(file)
        self.network = keras.models.model_from_json(json.dumps(self.content["network"]))
        with np.load(context.artifacts["weights"], allow_pickle=False) as weights:
            self.network.set_weights([weights[str(i)] for i in range(len(weights.files))])
        self._to_numpy = keras.ops.convert_to_numpy
        self.activation = keras.activations.get(self.content["head"]["activation"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return a prediction for each row.

        Parameters
        ----------
        model_input : DataFrame
            A table with the columns that the network was trained on, in any order; further columns are ignored. A
            network that was trained on an array takes an array of shape (n_rows, n_features) instead, or of pictures.

        Returns
        -------
        DataFrame
            A row for each row of ``model_input``. Numbers are in the target's own unit, with a standard deviation if
            the network predicts a variance. Classes are named as in the training data, with a probability for each if
            the network predicts probabilities.

        Raises
        ------
        RowsError
            If rows or columns are not as the network needs them; the message lists every problem.

        Warns
        -----
        UserWarning
            If a text column holds a text that no training row had.
        """
        if isinstance(model_input, pd.DataFrame):
            model_input = model_input.rename(columns=lambda name: str(name).strip())
        x = features(self.content["inputs"], model_input)
        index = model_input.index if isinstance(model_input, pd.DataFrame) else None
        raw = self._raw_predictions(x)
        prediction = self._to_numpy(self.activation(raw)).astype(np.float64) if len(raw) else raw
        return pd.DataFrame(answers(self.content["head"], self.content["outputs"], raw, prediction), index=index)

    def _raw_predictions(self, x: np.ndarray) -> np.ndarray:
        n_raw = self.network.output_shape[-1]
        batches = [self._to_numpy(self.network(x[i : i + BATCH], training=False)) for i in range(0, len(x), BATCH)]
        return np.concatenate([np.empty((0, n_raw), np.float32), *batches])


# ---- From rows to the network's input.


def features(inputs: dict[str, Any], rows: Any) -> np.ndarray:
    """Return the network's input for new rows: float32, shape (n_rows, n_features)."""
    if inputs["names"] is None:
        return _of_array(inputs, np.asarray(rows, np.float64))
    prose = inputs.get("prose", [])
    columns = [*inputs["names"], *inputs["texts"], *prose]
    if not isinstance(rows, pd.DataFrame):
        raise RowsError(f"this model takes a table (a DataFrame) with the columns {', '.join(columns)}")
    problems = [_not_there(name, rows) for name in columns if list(rows.columns).count(name) != 1]
    if problems:
        raise RowsError("; ".join(problems))
    rows = rows.assign(**{name: _read_as(how, rows[name]) for name, how in inputs.get("readings", {}).items()})
    numbers = _numbers(inputs, rows, problems)
    texts = _texts(inputs, rows, problems)
    if problems:
        raise RowsError("; ".join(problems))
    parts = [scaled(numbers, inputs["fitted"]["numbers"])] if inputs["names"] else []
    words = [_words(inputs["fitted"]["prose"], i, rows[name]) for i, name in enumerate(prose)]
    return np.hstack([np.asarray(part, np.float32) for part in (*parts, *texts, *words)])


def _of_array(inputs: dict[str, Any], given: np.ndarray) -> np.ndarray:
    """Return the network's input for an array: rows of features, or pictures, with or without their channel."""
    shape = tuple(inputs.get("shape", []))
    is_pictures = bool(shape) and given.ndim > 2 and (*given.shape[1:], 1)[:3] == shape
    values = given.reshape(len(given), -1) if is_pictures else given
    if values.ndim != 2 or values.shape[1] != inputs["n_features"]:
        pictures = f", or pictures of shape {shape}" if shape else ""
        raise RowsError(f"this model takes rows of {inputs['n_features']} numbers{pictures}; got shape {given.shape}")
    fitted = inputs["fitted"]["numbers"]
    if fitted["fill"] is not None:
        values = np.where(np.isnan(values), fitted["fill"], values)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise RowsError(f"this model takes finite numbers; row {bad.argmax()} has others")
    return scaled(values, fitted).astype(np.float32)


def _read_as(how: dict[str, Any], column: pd.Series) -> pd.Series:
    """Return a column read as in training: without blanks around texts, or with signs taken out of numbers.

    Only texts are read so. A text that is not written as those of the training rows stays as it is: it is refused later
    unless it is a plain number.
    """

    def read(cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        trimmed = cell.strip(BLANKS)
        if trimmed in how["missing"]:
            return None
        if how["kind"] != "number" or not re.fullmatch(how["pattern"], trimmed):
            return trimmed
        return trimmed.translate({ord(sign): None for sign in how["taken_out"] + BLANKS}).replace(how["decimal"], ".")

    return column.astype(object).map(read) if column.dtype.kind not in "iufb" else column


def _not_there(name: str, rows: pd.DataFrame) -> str:
    there = list(rows.columns)
    if name in there:
        return f"column {name!r} is there {there.count(name)} times"
    near = difflib.get_close_matches(name.lower(), [str(other).lower() for other in there], n=1)
    named = [str(other) for other in there if str(other).lower() in near]
    return f"there is no column {name!r}" + (f" (is it {named[0]!r}?)" if named else "")


def scaled(values: np.ndarray, fitted: dict[str, Any]) -> np.ndarray:
    """Return features scaled as they were in training."""
    return values if fitted["center"] is None else (values - fitted["center"]) / fitted["scale"]


def _numbers(inputs: dict[str, Any], rows: pd.DataFrame, problems: list[str]) -> np.ndarray:
    values = np.empty((len(rows), len(inputs["names"])))
    for i, name in enumerate(inputs["names"]):
        column = rows[name]
        found, missing = _as_numbers(column), _is_missing(inputs, column)
        bad = ~np.isfinite(found)
        if (bad & ~missing).any():
            got = str(column.iloc[int((bad & ~missing).argmax())])
            problems.append(f"column {name!r} takes finite numbers; got {got!r}")
        fill = inputs["fitted"]["numbers"]["fill"]
        if missing.any() and fill is None:
            problems.append(_no_value(name, missing))
        values[:, i] = found if fill is None else np.where(missing, fill[i], found)
    return values


def _as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column as float64, NaN in place of anything that is not a number (dates and durations too)."""
    if column.dtype.kind in "mMc" or isinstance(column.dtype, pd.DatetimeTZDtype):
        return np.full(len(column), np.nan)
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _is_missing(inputs: dict[str, Any], column: pd.Series) -> np.ndarray:
    """Return a mask of missing values: empty cells, and cells with a marker (``dataset.missing_values``)."""
    texts = inputs["missing_values"]
    if not texts:
        return column.isna().to_numpy()
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").dropna()
    given = column.map(as_text, na_action="ignore").isin(texts).to_numpy() | np.isin(_as_numbers(column), numbers)
    return column.isna().to_numpy() | given


def _texts(inputs: dict[str, Any], rows: pd.DataFrame, problems: list[str]) -> list[np.ndarray]:
    """Return the one-hot columns of each text column; a text that no training row had is 0 in all of them."""
    encoded = []
    for i, name in enumerate(inputs["texts"]):
        fitted, missing = inputs["fitted"]["texts"], _is_missing(inputs, rows[name])
        if missing.any() and fitted["fill"] is None:
            problems.append(_no_value(name, missing))
        fill = fitted["fill"][i] if fitted["fill"] else ""
        texts = [fill if gone else as_text(cell) for cell, gone in zip(rows[name], missing, strict=True)]
        codes = _codes(fitted["levels"][i], texts)
        unknown = (codes < 0) & ~missing
        if unknown.any():
            first = texts[int(unknown.argmax())]
            told = f"column {name!r}: {unknown.sum()} cells have a text that no training row had ({first!r}, …)"
            warnings.warn(f"{told}; it counts as none of those", UserWarning, stacklevel=2)
        encoded.append((codes[:, None] == np.arange(len(fitted["levels"][i]))).astype(np.float32))
    return encoded


def _words(fitted: dict[str, Any], i: int, column: pd.Series) -> np.ndarray:
    """Return the tf-idf weights of the words of running text, each row of length 1; a missing text has no words."""
    places = {word: place for place, word in enumerate(fitted["words"][i])}
    found = np.zeros((len(column), fitted["widths"][i]))
    for row, (text, gone) in enumerate(zip(column, column.isna(), strict=True)):
        for word in [] if gone else re.findall(r"\b\w\w+\b", str(text).lower()):
            if word in places:
                found[row, places[word]] += fitted["idf"][i][places[word]]
    length = np.sqrt((found**2).sum(axis=1, keepdims=True))
    return found / np.where(length == 0.0, 1.0, length)


def _codes(levels: list[str], texts: list[str]) -> np.ndarray:
    """Return the index of each text among the known ones, -1 for an unknown text.

    Leading blanks are ignored, and a number written otherwise (``01``) equals the number (``1``): whether a reader of
    files keeps these differences depends on its settings and on the column's other cells.
    """
    places = {_read_otherwise(text): i for i, text in enumerate(levels)} | {text: i for i, text in enumerate(levels)}
    codes = {text: places.get(text, places.get(_read_otherwise(text), -1)) for text in set(texts)}
    return np.array([codes[text] for text in texts], np.int64)


def _read_otherwise(text: str) -> str:
    number = pd.to_numeric(text, errors="coerce")
    return as_text(number) if np.isfinite(number) else text.lstrip()


def _no_value(name: str, missing: np.ndarray) -> str:
    where = f"row {int(missing.argmax())} has none"
    return f"column {name!r} needs a value, for no training row missed one ({where}); dataset.missing=impute allows it"


def as_text(value: Any) -> str:
    """Return a table cell as text; a whole number without a decimal point."""
    whole = isinstance(value, int | float | np.number) and not isinstance(value, bool) and float(value) % 1 == 0
    return str(int(value)) if whole else str(value)


# ---- From the network's output to predictions in the user's terms.


def answers(
    head: dict[str, Any], outputs: dict[str, Any], raw: np.ndarray, prediction: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the columns of the result, given the raw predictions and the head's predictions."""
    if outputs["task"] in ("regression", "shares"):
        return _of_numbers(outputs, prediction)
    names, probable = outputs["names"], head["probability"]
    if outputs["task"] == "multilabel":
        columns = {name: (raw[:, i] > head["threshold"]).astype(int) for i, name in enumerate(names)}
        each = [(f"probability of {name}", prediction[:, i]) for i, name in enumerate(names)]
        return columns | (dict(each) if probable else {})
    decided = raw.argmax(axis=1) if head["threshold"] is None else (raw[:, 0] > head["threshold"]).astype(int)
    columns = {names[0]: np.array(outputs["labels"])[decided]}
    if not probable:
        return columns
    both = np.hstack([1.0 - prediction, prediction]) if prediction.shape[1] == 1 else prediction
    return columns | {f"probability of {label}": both[:, k] for k, label in enumerate(outputs["labels"])}


def _of_numbers(outputs: dict[str, Any], prediction: np.ndarray) -> dict[str, np.ndarray]:
    names = outputs["names"]
    scaling = outputs["scaling"] or {"center": np.zeros(len(names)), "scale": np.ones(len(names))}
    values = prediction[:, : len(names)] * scaling["scale"] + scaling["center"]
    columns = {name: values[:, i] for i, name in enumerate(names)}
    if prediction.shape[1] == len(names):
        return columns
    # The second half of the outputs are raw predictions of the variances; softplus makes them positive.
    variance = np.logaddexp(0.0, prediction[:, len(names) :]) + LEAST_VARIANCE
    deviation = np.sqrt(variance) * scaling["scale"]
    return columns | {f"standard deviation of {name}": deviation[:, i] for i, name in enumerate(names)}


mlflow.models.set_model(Model())
