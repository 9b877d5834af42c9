"""The table of data sets, as plain data: everything that planning must know without making the data.

``described`` adds the facts that planning found in data of the user's own.
"""

from dataclasses import dataclass, replace
from typing import Any

from lossbench.config.settings import (
    CUSTOM,
    FILE,
    NPZ,
    PICTURES,
    DatasetSettings,
    OwnArraysSettings,
    OwnSettings,
    SplitSettings,
)
from lossbench.losses.heads import INFINITY


@dataclass(frozen=True)
class DatasetInfo:
    """One row of the table.

    Attributes
    ----------
    task : str
        One of ``heads.TASKS``.
    n_outputs : int or str
        The number of classes, of labels, or of target columns; or the name of the setting that gives it.
    target_range : (low, high)
        The range of the targets before scaling.
    maker : str
        ``module:name`` of the function that generates or loads the data.
    optimum : str
        ``module:name`` of the function that returns the best predictions the generator allows; empty if unknown.
    ranges : dict
        The closed range (low, high) of each parameter of the generator, by name. Integers mean that the parameter is
        an integer.
    lists : tuple of str
        The names of parameters that are lists of numbers.
    n_samples : int
        The number of samples; 0 for generated data, whose settings give it.
    ordered : bool
        Whether the classes have an order.
    shape : tuple of int
        Height, width and channels of images, whose pixels are the features; empty otherwise.
    download : str
        The file, relative to Keras's folder, that exists once Keras has downloaded the data; empty if the data needs no
        download.
    is_own : bool
        Whether these are data of the user's own; only they tell their task, outputs, samples and target range.
    """

    name: str
    task: str
    description: str
    target_range: tuple[float, float]
    maker: str
    source: str
    ranges: dict[str, tuple[float, float]]
    lists: tuple[str, ...] = ()
    n_samples: int = 0
    n_outputs: int | str = 1
    ordered: bool = False
    shape: tuple[int, ...] = ()
    optimum: str = ""
    download: str = ""
    is_own: bool = False


_SEED_RANGE = (0, 2**32 - 1)
_SAMPLES = {"n_samples": (2, 10**8)}
_STATE = {"random_state": _SEED_RANGE}
_NOISE, _FEATURES = (0.0, 1e30), (1, 10**5)


def _real(name: str, task: str, n_samples: int, description: str, source: str, **more: Any) -> DatasetInfo:
    """Return the row of a data set that scikit-learn ships."""
    target_range = more.pop("target_range", (0.0, INFINITY))
    maker = f"sklearn.datasets:load_{name}"
    return DatasetInfo(name, task, description, target_range, maker, source, {}, n_samples=n_samples, **more)


def _images(
    name: str, n_samples: int, shape: tuple[int, int, int], download: str, description: str, source: str
) -> DatasetInfo:
    """Return the row of an image data set with ten classes, which Keras downloads."""
    maker = f"lossbench.datasets.images:load_{name}"
    return DatasetInfo(
        name, "multiclass", description, (0.0, INFINITY), maker, source, {}, n_samples=n_samples, n_outputs=10,
        shape=shape, download=download,
    )  # fmt: skip


def _own(name: str, description: str, source: str) -> DatasetInfo:
    """Return the row of a kind of data of the user's own."""
    return DatasetInfo(name, "", description, (-INFINITY, INFINITY), "", source, {}, is_own=True)


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            name="regression",
            task="regression",
            description="a linear function of 10 of 20 features, with little noise",
            target_range=(-INFINITY, INFINITY),
            maker="sklearn.datasets:make_regression",
            source="scikit-learn's make_regression",
            ranges={
                "n_samples": (2, 10**8),
                "n_features": (1, 10**5),
                "n_informative": (1, 10**5),
                "n_targets": (1, 1000),
                "noise": (0.0, 1e30),
                "random_state": _SEED_RANGE,
            },
            n_outputs="n_targets",
            optimum="lossbench.datasets.optima:of_regression",
        ),
        DatasetInfo(
            name="circles",
            task="binary",
            description="two noisy circles, one inside the other",
            target_range=(0.0, 1.0),
            maker="sklearn.datasets:make_circles",
            source="scikit-learn's make_circles",
            ranges={
                "n_samples": (2, 10**8),
                "noise": (0.0, 1e30),
                "factor": (0.0, 0.999999),
                "random_state": _SEED_RANGE,
            },
            n_outputs=2,
            optimum="lossbench.datasets.optima:of_circles",
        ),
        DatasetInfo(
            name="blobs",
            task="multiclass",
            description="Gaussian clouds that overlap",
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
            n_outputs="centers",
            optimum="lossbench.datasets.optima:of_blobs",
        ),
        DatasetInfo(
            name="moons",
            task="binary",
            description="two interleaving half circles, with noise",
            target_range=(0.0, 1.0),
            maker="sklearn.datasets:make_moons",
            source="scikit-learn's make_moons",
            ranges={**_SAMPLES, "noise": _NOISE, **_STATE},
            n_outputs=2,
            optimum="lossbench.datasets.optima:of_moons",
        ),
        DatasetInfo(
            name="spirals",
            task="binary",
            description="two spirals around each other",
            target_range=(0.0, 1.0),
            maker="lossbench.datasets.generators:make_spirals",
            source="Lang and Witbrock (1988), Learning to Tell Two Spirals Apart",
            ranges={**_SAMPLES, "turns": (0.1, 10.0), "noise": _NOISE, **_STATE},
            n_outputs=2,
            optimum="lossbench.datasets.optima:of_spirals",
        ),
        DatasetInfo(
            name="friedman1",
            task="regression",
            description="a nonlinear function of 5 features: a sine, a parabola and two linear terms, with noise",
            target_range=(-INFINITY, INFINITY),
            maker="sklearn.datasets:make_friedman1",
            source="Friedman (1991), Multivariate Adaptive Regression Splines, doi:10.1214/aos/1176347963",
            ranges={**_SAMPLES, "n_features": (5, 10**5), "noise": _NOISE, **_STATE},
            optimum="lossbench.datasets.optima:of_friedman1",
        ),
        DatasetInfo(
            name="counts",
            task="regression",
            description="Poisson counts whose mean depends on the features",
            target_range=(0.0, INFINITY),
            maker="lossbench.datasets.generators:make_counts",
            source="Nelder and Wedderburn (1972), Generalized Linear Models, doi:10.2307/2344614",
            ranges={**_SAMPLES, "n_features": _FEATURES, "mean": (1e-6, 1e6), **_STATE},
            optimum="lossbench.datasets.optima:of_counts",
        ),
        DatasetInfo(
            name="ordinal",
            task="multiclass",
            description="ordered classes: intervals of a noisy linear score",
            target_range=(0.0, INFINITY),
            maker="lossbench.datasets.generators:make_ordinal",
            source="McCullagh (1980), Regression Models for Ordinal Data, doi:10.1111/j.2517-6161.1980.tb01109.x",
            ranges={**_SAMPLES, "n_features": _FEATURES, "n_classes": (3, 1000), "noise": _NOISE, **_STATE},
            n_outputs="n_classes",
            optimum="lossbench.datasets.optima:of_ordinal",
            ordered=True,
        ),
        DatasetInfo(
            name="two_modes",
            task="regression",
            description="a target that has two modes for each input",
            target_range=(-INFINITY, INFINITY),
            maker="lossbench.datasets.generators:make_two_modes",
            source="Bishop (1994), Mixture Density Networks, Aston University NCRG/94/004",
            ranges={**_SAMPLES, "share": (0.0, 1.0), "noise": _NOISE, **_STATE},
            optimum="lossbench.datasets.optima:of_two_modes",
        ),
        DatasetInfo(
            name="imbalanced",
            task="binary",
            description="two classes of unequal size",
            target_range=(0.0, 1.0),
            maker="sklearn.datasets:make_classification",
            source="Guyon (2003), Design of Experiments for the NIPS 2003 Variable Selection Benchmark",
            ranges={
                **_SAMPLES,
                "n_features": _FEATURES,
                "n_informative": (2, 10**5),
                "class_sep": (0.0, 1e30),
                **_STATE,
            },
            lists=("weights",),
            n_outputs=2,
        ),
        DatasetInfo(
            name="multilabel",
            task="multilabel",
            description="word counts of texts; the labels are the subjects, of which a text can have several",
            target_range=(0.0, 1.0),
            maker="sklearn.datasets:make_multilabel_classification",
            source="scikit-learn's make_multilabel_classification",
            ranges={**_SAMPLES, "n_features": _FEATURES, "n_classes": (2, 1000), "n_labels": (1, 1000), **_STATE},
            n_outputs="n_classes",
        ),
        DatasetInfo(
            name="shares",
            task="shares",
            description="shares that sum to 1, drawn from Dirichlet distributions",
            target_range=(0.0, 1.0),
            maker="lossbench.datasets.generators:make_shares",
            source="Aitchison (1982), The Statistical Analysis of Compositional Data, "
            "doi:10.1111/j.2517-6161.1982.tb01195.x",
            ranges={
                **_SAMPLES,
                "n_features": _FEATURES,
                "n_outputs": (2, 1000),
                "concentration": (1e-3, 1e9),
                **_STATE,
            },
            n_outputs="n_outputs",
            optimum="lossbench.datasets.optima:of_shares",
        ),
        _real(
            "diabetes",
            "regression",
            442,
            "progression of a disease after a year",
            "Efron et al. (2004), Least Angle Regression, doi:10.1214/009053604000000067",
        ),
        _real(
            "linnerud",
            "regression",
            20,
            "weight, waist and pulse of 20 men, from three exercises",
            "Tenenhaus (1998), La regression PLS, Technip",
            n_outputs=3,
        ),
        _real(
            "breast_cancer",
            "binary",
            569,
            "malignant or benign, from 30 measures of cell nuclei",
            "Street et al. (1993), Nuclear Feature Extraction for Breast Tumor Diagnosis, doi:10.1117/12.148698",
            target_range=(0.0, 1.0),
            n_outputs=2,
        ),
        _real(
            "iris",
            "multiclass",
            150,
            "three species of iris",
            "Fisher (1936), The Use of Multiple Measurements, doi:10.1111/j.1469-1809.1936.tb02137.x",
            n_outputs=3,
        ),
        _real(
            "wine",
            "multiclass",
            178,
            "three cultivars of wine, from 13 chemical measures",
            "Aeberhard and Forina (1991), Wine, doi:10.24432/C5PC7J",
            n_outputs=3,
        ),
        _real(
            "digits",
            "multiclass",
            1797,
            "handwritten digits of 8 x 8 pixels",
            "Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, doi:10.24432/C50P49",
            n_outputs=10,
            shape=(8, 8, 1),
        ),
        _images(
            "mnist",
            70000,
            (28, 28, 1),
            "datasets/mnist.npz",
            "handwritten digits of 28 x 28 pixels",
            "LeCun et al. (1998), Gradient-Based Learning Applied to Document Recognition, doi:10.1109/5.726791",
        ),
        _images(
            "fashion_mnist",
            70000,
            (28, 28, 1),
            "datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
            "articles of clothing, 28 x 28 pixels",
            "Xiao et al. (2017), Fashion-MNIST, arXiv:1708.07747",
        ),
        _images(
            "cifar10",
            60000,
            (32, 32, 3),
            "datasets/cifar-10-batches-py-target_archive",
            "colour images of 32 x 32 pixels",
            "Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images, University of Toronto",
        ),
        _own(FILE, "a file of your own: dataset.path=house.csv dataset.target=price", "the user's file"),
        _own(NPZ, "arrays of your own in a file of NumPy's: dataset.path=data.npz", "the user's file"),
        _own(PICTURES, "pictures, a folder for each class: dataset.path=pictures/", "the user's files"),
        _own(CUSTOM, "what your function returns: dataset=custom dataset.function=mine:make", "the user's function"),
    )
}


SPLITS = ("train", "validation", "test")
# Of features; targets have all but pixels.
SCALINGS = ("none", "standard", "minmax", "robust", "pixels")


def described(settings: DatasetSettings) -> DatasetInfo:
    """Return the row of the chosen data set; for the user's own data, completed with the facts that planning found."""
    info = DATASETS[settings.name]
    if not isinstance(settings, OwnSettings):
        return info
    low, high = settings.facts.target_range
    return replace(
        info,
        task=settings.task,
        n_samples=settings.facts.n_samples,
        n_outputs=settings.facts.n_outputs,
        target_range=(low, high),
        ordered=settings.ordered,
        shape=tuple(settings.facts.shape) if isinstance(settings, OwnArraysSettings) else (),
    )


def parameter_types(info: DatasetInfo) -> dict[str, type]:
    """Return the type of each parameter of a generator: int, float, or list (of numbers)."""
    return {**{name: type(low) for name, (low, _) in info.ranges.items()}, **dict.fromkeys(info.lists, list)}


def n_outputs(info: DatasetInfo, settings: DatasetSettings) -> int:
    """Return the number of classes, of labels, or of target columns of a data set with these settings."""
    return settings.parameters[info.n_outputs] if isinstance(info.n_outputs, str) else info.n_outputs


def n_samples(settings: DatasetSettings) -> int:
    """Return the number of samples of a data set, over all splits."""
    if isinstance(settings, OwnSettings):
        return settings.facts.n_samples
    return settings.parameters.get("n_samples", described(settings).n_samples)


def split_counts(split: SplitSettings, n_samples: int) -> list[int]:
    """Return the number of samples of each split, in the order of ``SPLITS``; shares are rounded down."""
    asked = (split.train, split.validation, split.test)
    return [int(value * n_samples) if isinstance(value, float) else value for value in asked]


def validation_share(split: SplitSettings) -> float:
    """Return which share of the rows that are not tested is for validation."""
    both = split.train + split.validation
    return split.validation / both if both else 0.0


def scaled_target_range(info: DatasetInfo, settings: DatasetSettings) -> tuple[float, float]:
    """Return the range of the targets after scaling.

    Min-max scaling bounds the targets only if it is fitted on all rows: rows outside the fit may exceed 0 to 1.
    """
    standardize = settings.standardize
    if standardize.y == "none":
        return info.target_range
    everywhere = standardize.y != "minmax" or standardize.fitted_on != "all_rows"
    return (-INFINITY, INFINITY) if everywhere else (0.0, 1.0)
