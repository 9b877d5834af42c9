"""What is known of each data set without making it, as plain data."""

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from lossbench.heads import INFINITY


@dataclass
class Split:
    """How many samples train, choose and judge: taken from the data's rows in this order."""

    train: int = MISSING
    validation: int = MISSING
    test: int = MISSING


@dataclass
class Standardize:
    """Whether features (x) and targets (y) are brought to mean 0 and variance 1, and on which rows that is fitted."""

    x: str = MISSING
    y: str = MISSING
    fitted_on: str = MISSING


@dataclass
class DatasetConfig:
    """What every data set is told."""

    name: str = MISSING
    split: Split = MISSING
    standardize: Standardize = MISSING


@dataclass
class RegressionConfig(DatasetConfig):
    """A linear target with Gaussian noise (its standard deviation)."""

    n_samples: int = MISSING
    n_features: int = MISSING
    n_informative: int = MISSING
    noise: float = MISSING
    random_state: int = MISSING


@dataclass
class CirclesConfig(DatasetConfig):
    """Two noisy circles; ``factor`` is the inner one's radius, the outer one's is 1."""

    n_samples: int = MISSING
    noise: float = MISSING
    factor: float = MISSING
    random_state: int = MISSING


@dataclass
class BlobsConfig(DatasetConfig):
    """Gaussian clouds of one standard deviation around random centers."""

    n_samples: int = MISSING
    n_features: int = MISSING
    centers: int = MISSING
    cluster_std: float = MISSING
    random_state: int = MISSING


@dataclass(frozen=True)
class DatasetInfo:
    """A data set, as data.

    Attributes
    ----------
    task : str
        ``regression``, ``binary`` or ``multiclass``.
    config : type
        Of its settings.
    target_range : (low, high)
        Where its targets lie before standardizing.
    maker : str
        ``module:name`` of the function that makes it.
    ranges : dict
        Each setting to the closed range (low, high) of its values.
    """

    name: str
    task: str
    description: str
    config: type[DatasetConfig]
    target_range: tuple[float, float]
    maker: str
    source: str
    ranges: dict[str, tuple[float, float]]


_SEED_RANGE = (0, 2**32 - 1)

DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            name="regression",
            task="regression",
            description="a linear target of 10 of 20 features, with little noise",
            config=RegressionConfig,
            target_range=(-INFINITY, INFINITY),
            maker="sklearn.datasets:make_regression",
            source="scikit-learn's make_regression",
            ranges={
                "n_samples": (2, 10**8),
                "n_features": (1, 10**5),
                "n_informative": (1, 10**5),
                "noise": (0.0, 1e30),
                "random_state": _SEED_RANGE,
            },
        ),
        DatasetInfo(
            name="circles",
            task="binary",
            description="two noisy circles, one inside the other",
            config=CirclesConfig,
            target_range=(0.0, 1.0),
            maker="sklearn.datasets:make_circles",
            source="scikit-learn's make_circles",
            ranges={
                "n_samples": (2, 10**8),
                "noise": (0.0, 1e30),
                "factor": (0.0, 0.999999),
                "random_state": _SEED_RANGE,
            },
        ),
        DatasetInfo(
            name="blobs",
            task="multiclass",
            description="Gaussian clouds that overlap",
            config=BlobsConfig,
            target_range=(0.0, INFINITY),
            maker="sklearn.datasets:make_blobs",
            source="scikit-learn's make_blobs",
            ranges={
                "n_samples": (2, 10**8),
                "n_features": (1, 10**5),
                "centers": (2, 10**4),
                "cluster_std": (0.0, 1e30),
                "random_state": _SEED_RANGE,
            },
        ),
    )
}


def scaled_target_range(info: DatasetInfo, settings: dict[str, Any]) -> tuple[float, float]:
    """Return where the targets lie after standardizing, which can put them anywhere."""
    return (-INFINITY, INFINITY) if settings["standardize"]["y"] != "none" else info.target_range
