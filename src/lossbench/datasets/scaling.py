"""Preprocessing: imputation, scaling, one-hot encoding, words as features, scaling of targets and its inverse.

Each step is fitted on given rows. The fitted values are also returned as plain data, with which
``export.saved_model.serving`` treats new rows in the same way.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from lossbench.datasets.user_file.prose import ROWS_PER_WORD, WORD, words_of

# The largest value of a pixel.
BRIGHTEST = 255.0
# For each of ``catalogue.SCALINGS`` but none and pixels: scikit-learn's scaler, and a function that returns its
# center and scale once fitted, so that scaled = (value - center) / scale. MinMaxScaler's own scale_ is a factor, not a
# divisor.
SCALERS: dict[str, tuple[type, Any]] = {
    "standard": (StandardScaler, lambda fitted: (fitted.mean_, fitted.scale_)),
    "minmax": (MinMaxScaler, lambda fitted: (fitted.data_min_, 1.0 / fitted.scale_)),
    "robust": (RobustScaler, lambda fitted: (fitted.center_, fitted.scale_)),
}


@dataclass(frozen=True)
class TargetScaling:
    """The linear scaling of targets, and its inverse.

    Attributes
    ----------
    center, scale : float64 array, shape (n_outputs,)
        A scaled target is (target - center) / scale.
    """

    center: np.ndarray
    scale: np.ndarray

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values in the targets' own unit, scaled for training; shape (n_samples, n_outputs)."""
        return (values - self.center) / self.scale

    def original(self, scaled: np.ndarray) -> np.ndarray:
        """Return scaled values converted back to the targets' own unit, in float64; shape (n_samples, n_outputs)."""
        return np.asarray(scaled, np.float64) * self.scale + self.center

    def to_json(self) -> dict[str, list[float]]:
        """Return the scaling in its form in ``cell.json``, which readers of stored predictions use."""
        return {"center": self.center.tolist(), "scale": self.scale.tolist()}

    @property
    def unit(self) -> tuple[float, ...]:
        """The scale of each output, as a tuple."""
        return tuple(self.scale.tolist())


def fit_targets(y: np.ndarray, fit_rows: slice, how: str) -> TargetScaling | None:
    """Fit a scaling on some rows of targets of shape (n_samples, n_outputs); None if ``how`` is none."""
    if how == "none":
        return None
    scaler, parts = SCALERS[how]
    center, scale = parts(scaler().fit(y[fit_rows]))
    return TargetScaling(center, scale)


def prepare_numbers(
    x: np.ndarray, train: slice, fit_rows: slice, how: str, *, imputes: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Impute and scale numeric features; return them and the fitted values.

    Parameters
    ----------
    x : float array, shape (n_samples, n_features)
    train : slice
        The rows whose medians replace missing values (NaN), if ``imputes``.
    fit_rows : slice
        The rows that the scaling is fitted on.
    how : str
        One of ``catalogue.SCALINGS``.

    Returns
    -------
    array
        As ``x``.
    dict
        ``fill``, ``center`` and ``scale``: lists with a value for each feature, or None if the step is not done.
        ``fill`` replaces missing values; a scaled feature is (feature - ``center``) / ``scale``.
    """
    fitted: dict[str, Any] = {"fill": None, "center": None, "scale": None}
    if how == "pixels":
        # Nothing is fitted: the range of a pixel is known.
        n_features = x.shape[1]
        return x / np.float32(BRIGHTEST), fitted | {"center": [0.0] * n_features, "scale": [BRIGHTEST] * n_features}
    if imputes:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(x[train])
        x = imputer.transform(x)
        # A feature that is missing in all training rows is filled with 0.
        fitted["fill"] = np.nan_to_num(imputer.statistics_).tolist()
    if how != "none":
        scaler, parts = SCALERS[how]
        found = scaler().fit(x[fit_rows])
        x = found.transform(x)
        fitted["center"], fitted["scale"] = (np.asarray(values, np.float64).tolist() for values in parts(found))
    return x, fitted


def prepare_prose(texts: np.ndarray, widths: list[int], train: slice) -> tuple[np.ndarray, dict[str, Any]]:
    """Return features of running text: the tf-idf weights of words, fitted on the training rows; and the fitted values.

    Parameters
    ----------
    texts : object array, shape (n_samples, n_columns)
    widths : list of int
        The number of features of each column; if the training rows have fewer words that are in several of them, the
        last ones are 0, so that the number of features does not depend on ``train``.

    Returns
    -------
    float32 array, shape (n_samples, sum of ``widths``)
    dict
        ``words`` and ``idf``: for each column its words in the order of the features, and their weights.
        ``widths`` as given.
    """
    features, words, weights = [np.empty((len(texts), 0), np.float32)], [], []
    for column, width in zip(texts.T, widths, strict=True):
        vectorizer = TfidfVectorizer(token_pattern=WORD.pattern, min_df=ROWS_PER_WORD, max_features=width)
        found, known, weight = np.zeros((len(texts), width), np.float32), [], []
        if _has_words(column[train]):
            vectorizer.fit(column[train])
            known, weight = vectorizer.get_feature_names_out().tolist(), vectorizer.idf_.tolist()
            found[:, : len(known)] = vectorizer.transform(column).toarray()
        features.append(found)
        words.append(known)
        weights.append(weight)
    return np.hstack(features), {"words": words, "idf": weights, "widths": widths}


def _has_words(texts: np.ndarray) -> bool:
    """Return whether a word is in several texts; scikit-learn raises where none is."""
    rows = Counter(word for text in texts for word in set(words_of(text)))
    return any(n >= ROWS_PER_WORD for n in rows.values())


def prepare_texts(
    codes: np.ndarray, levels: list[list[str]], train: slice, *, imputes: bool, all_levels: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Impute and one-hot encode text features; return the columns of 0 and 1, and the fitted values.

    Parameters
    ----------
    codes : int array, shape (n_samples, n_columns)
        The position of each text in its column's ``levels``; -1 where missing.
    train : slice
        The rows whose most frequent text replaces missing ones, if ``imputes``. Their texts get a column each.
    all_levels : bool
        Whether the texts of all rows get a column each, so that the number of columns does not depend on ``train``.

    Returns
    -------
    float32 array, shape (n_samples, n_encoded)
        A text that does not occur in the training rows is 0 in all columns.
    dict
        ``levels``: the encoded texts of each column, in order. ``fill``: the text of each column that replaces missing
        ones, or None if nothing is imputed.
    """
    fill = None
    if imputes:
        imputer = SimpleImputer(missing_values=-1, strategy="most_frequent", keep_empty_features=True)
        codes = imputer.fit(codes[train]).transform(codes)
        most = np.nan_to_num(imputer.statistics_.astype(np.float64)).astype(int)
        fill = [texts[code] for texts, code in zip(levels, most, strict=True)]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    encoded = encoder.fit(codes if all_levels else codes[train]).transform(codes)
    if all_levels:
        # Nothing is learned of a text that no training row has.
        encoded *= encoded[train].any(axis=0)
    known = [[texts[int(c)] for c in kept] for texts, kept in zip(levels, encoder.categories_, strict=True)]
    return encoded, {"levels": known, "fill": fill}
