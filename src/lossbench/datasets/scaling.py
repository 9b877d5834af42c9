"""Features and targets brought to a common scale, fitted on given rows; and targets back to their own unit.

What was fitted is also given as plain data, with which new rows can be treated alike (``saved_model.serving`` does it).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

# Each of ``catalogue.SCALINGS``: scikit-learn's scaler, and what it subtracts and divides by once fitted.
SCALERS: dict[str, tuple[type, Any]] = {
    "standard": (StandardScaler, lambda fitted: (fitted.mean_, fitted.scale_)),
    "minmax": (MinMaxScaler, lambda fitted: (fitted.data_min_, 1.0 / fitted.scale_)),
    "robust": (RobustScaler, lambda fitted: (fitted.center_, fitted.scale_)),
}


@dataclass(frozen=True)
class TargetScaling:
    """How scaled targets are brought back to their own unit.

    Attributes
    ----------
    center, scale : float64 array, shape (n_outputs,)
        A scaled target is (target - center) / scale.
    """

    center: np.ndarray
    scale: np.ndarray

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values of the targets' own unit scaled; shape (n_samples, n_outputs)."""
        return (values - self.center) / self.scale

    def original(self, scaled: np.ndarray) -> np.ndarray:
        """Return scaled values in the targets' own unit, in float64; shape (n_samples, n_outputs)."""
        return np.asarray(scaled, np.float64) * self.scale + self.center

    def to_json(self) -> dict[str, list[float]]:
        """Return it as ``cell.json`` keeps it, for whoever reads targets and predictions from disk."""
        return {"center": self.center.tolist(), "scale": self.scale.tolist()}

    @property
    def unit(self) -> tuple[float, ...]:
        """Each output's scale."""
        return tuple(self.scale.tolist())


def fit_targets(y: np.ndarray, fit_rows: slice, how: str) -> TargetScaling | None:
    """Return the scaling of targets of shape (n_samples, n_outputs), fitted on some of their rows; None for none."""
    if how == "none":
        return None
    scaler, parts = SCALERS[how]
    center, scale = parts(scaler().fit(y[fit_rows]))
    return TargetScaling(center, scale)


def prepare_numbers(
    x: np.ndarray, train: slice, fit_rows: slice, how: str, *, imputes: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return features without missing values and scaled, and what was fitted for it.

    Parameters
    ----------
    x : float array, shape (n_samples, n_features)
    train : slice
        The rows whose medians stand in for missing values (NaN), if ``imputes``.
    fit_rows : slice
        The rows that the scaling is fitted on.
    how : str
        One of ``catalogue.SCALINGS``.

    Returns
    -------
    array
        As ``x``.
    dict
        Lists of a value for each feature, None where nothing is done: ``fill`` stands in for a missing value; a scaled
        feature is (feature - ``center``) / ``scale``.
    """
    fitted: dict[str, Any] = {"fill": None, "center": None, "scale": None}
    if imputes:
        imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(x[train])
        x = imputer.transform(x)
        # A feature without any value in the training rows is 0.
        fitted["fill"] = np.nan_to_num(imputer.statistics_).tolist()
    if how != "none":
        scaler, parts = SCALERS[how]
        found = scaler().fit(x[fit_rows])
        x = found.transform(x)
        fitted["center"], fitted["scale"] = (np.asarray(values, np.float64).tolist() for values in parts(found))
    return x, fitted


def prepare_texts(
    codes: np.ndarray, levels: list[list[str]], train: slice, *, imputes: bool
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a column of 0 and 1 for each text that the training rows have, and what was fitted for it.

    Parameters
    ----------
    codes : int array, shape (n_samples, n_columns)
        The number of each text among its column's ``levels``; -1 where it is missing.
    train : slice
        The rows whose most frequent text stands in for a missing one, if ``imputes``.

    Returns
    -------
    float32 array, shape (n_samples, n_encoded)
        A text that the training rows do not have is 0 in all columns.
    dict
        ``levels``, for each column its encoded texts in order; ``fill``, its text that stands in for a missing one, or
        None where nothing does.
    """
    fill = None
    if imputes:
        imputer = SimpleImputer(missing_values=-1, strategy="most_frequent", keep_empty_features=True)
        codes = imputer.fit(codes[train]).transform(codes)
        most = np.nan_to_num(imputer.statistics_.astype(np.float64)).astype(int)
        fill = [texts[code] for texts, code in zip(levels, most, strict=True)]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32).fit(codes[train])
    known = [[texts[int(c)] for c in kept] for texts, kept in zip(levels, encoder.categories_, strict=True)]
    return encoder.transform(codes), {"levels": known, "fill": fill}
