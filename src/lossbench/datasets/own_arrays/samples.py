"""Checks an array of samples and brings it into rows of features; pictures keep their shape beside it."""

from dataclasses import dataclass

import numpy as np

from lossbench.datasets.own_arrays.given import Given, shape_in_words
from lossbench.datasets.user_file.columns import LARGEST

# The largest value of a pixel of eight bits.
BRIGHTEST = 255
# Channels of a picture are last and few; an array with these in their place, and many at its end, has them first.
CHANNELS, FIRST_CHANNELS = 4, (1, 3)


@dataclass(frozen=True)
class Samples:
    """Samples as rows.

    Attributes
    ----------
    x : float array, shape (n_samples, n_features)
        NaN where missing.
    shape : tuple of int
        Height, width and channels of pictures; empty for rows of features.
    scaling : str
        The scaling of features that suits them, of ``catalogue.SCALINGS``.
    words : str
        What they are.
    """

    x: np.ndarray
    shape: tuple[int, ...]
    scaling: str
    words: str

    @property
    def missing(self) -> np.ndarray:
        """Boolean array, True for samples that lack a feature."""
        return np.isnan(self.x).any(axis=1)


def samples_of(given: Given, on_missing: str) -> Samples:
    """Return the samples of given arrays.

    Arrays of two dimensions are rows of features; of three, pictures of one channel; of four, pictures.

    Raises
    ------
    UsageError
        If they have another shape, are no numbers, or are not finite.
    """
    x, name = given.x, given.x_name
    if x.dtype.kind not in "biuf":
        said = f"{name} must be numbers; got {shape_in_words(x)}."
        raise given.error(said, "texts and dates are read from tables: dataset.path=house.csv dataset.target=price")
    if x.ndim not in (2, 3, 4) or not x.size:
        said = f"{name} must be rows of features, or pictures of height, width and channels; got {shape_in_words(x)}."
        raise given.error(said, f"a single feature is {name}.reshape(-1, 1)." if x.ndim == 1 else "")
    if x.ndim == 4 and x.shape[3] > CHANNELS and x.shape[1] in FIRST_CHANNELS:
        said = f"{name} has its channels first: {shape_in_words(x)}."
        raise given.error(said, f"they come last: {name}.transpose(0, 2, 3, 1).")
    shape = () if x.ndim == 2 else (*x.shape[1:], 1)[:3]
    rows = x.reshape(len(x), -1).astype(np.float32 if shape else np.float64)
    _check_finite(given, rows, on_missing, pictures=bool(shape))
    if not shape:
        n_features = "1 feature" if rows.shape[1] == 1 else f"{rows.shape[1]} features"
        return Samples(rows, (), "standard", f"{len(rows)} rows of {n_features}")
    scaling, how = _scaling_of_pictures(x)
    colours = {1: "in one channel", 3: "in three channels"}.get(shape[2], f"in {shape[2]} channels")
    return Samples(rows, shape, scaling, f"{len(rows)} pictures of {shape[0]} x {shape[1]} {colours}, {how}")


def _scaling_of_pictures(x: np.ndarray) -> tuple[str, str]:
    """Return the scaling that suits the values of pictures, and its words."""
    low, high = x.min(), x.max()
    if x.dtype.kind in "iu" and low >= 0 and high <= BRIGHTEST and (high > 1 or x.dtype == np.uint8):
        return "pixels", f"pixels divided by {BRIGHTEST}"
    if low >= 0 and high <= 1:
        return "none", "pixels from 0 to 1 as they are"
    return "standard", f"pixels from {low:g} to {high:g} standardized (dataset.standardize.x=none leaves them)"


def _check_finite(given: Given, rows: np.ndarray, on_missing: str, *, pictures: bool) -> None:
    bad = (np.abs(rows) > LARGEST).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        said = f"{given.x_name} has an infinite value, or one too large for single precision, in row {row}."
        raise given.error(said, "correct it, or leave the sample out.")
    missing = np.isnan(rows).any(axis=1)
    if missing.any() and (on_missing == "error" or pictures):
        n = int(missing.sum())
        said = f"{given.x_name} has no value (NaN) in {n} {'sample' if n == 1 else 'samples'}, first in row "
        hint = "dataset.missing=drop leaves such rows out, dataset.missing=impute fills in the training rows' median."
        raise given.error(f"{said}{missing.argmax()}.", hint if not pictures else "leave these pictures out.")
