"""Features and targets brought to a common scale, fitted on given rows; and targets back to their own unit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

# Each name of ``table.SCALINGS`` to scikit-learn's scaler, and what it subtracts and divides by, from the fitted one.
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


def scale_features(x: np.ndarray, fit_rows: slice, how: str) -> np.ndarray:
    """Return features of shape (n_samples, n_features) scaled as some of their rows say."""
    return x if how == "none" else SCALERS[how][0]().fit(x[fit_rows]).transform(x)


def impute_numbers(x: np.ndarray, train: slice) -> np.ndarray:
    """Return features with NaN replaced by the training rows' median."""
    if not np.isnan(x).any():
        return x
    return SimpleImputer(strategy="median", keep_empty_features=True).fit(x[train]).transform(x)


def one_hot(codes: np.ndarray, train: slice) -> np.ndarray:
    """Return a float32 column for each text that the training rows have; a text that they do not have is 0 in all.

    Parameters
    ----------
    codes : int array, shape (n_samples, n_columns)
        The number of each text; -1, which is missing, becomes the training rows' most frequent one.
    """
    if (codes < 0).any():
        most = SimpleImputer(missing_values=-1, strategy="most_frequent", keep_empty_features=True)
        codes = most.fit(codes[train]).transform(codes)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    return encoder.fit(codes[train]).transform(codes)
