"""Describes arrays of the user's own for planning, and reads them for jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.config.settings import (
    ArrayFacts,
    CustomDatasetSettings,
    NpzSettings,
    OwnArraysSettings,
    PicturesSettings,
    group_settings,
)
from lossbench.datasets.own_arrays.function import call_function, function_state
from lossbench.datasets.own_arrays.given import Given
from lossbench.datasets.own_arrays.npz import read_npz
from lossbench.datasets.own_arrays.samples import Samples, samples_of
from lossbench.datasets.own_arrays.targets import Inferred, infer_target
from lossbench.datasets.user_file.description import FileDescription, rarest_class
from lossbench.datasets.user_file.reading import file_state
from lossbench.datasets.user_file.suspicions import FEW_ROWS, MANY_ROWS
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.heads import TASKS

MISSING = ("error", "drop", "impute")


@dataclass(frozen=True)
class Arrays:
    """Samples and targets as they are trained on, before splitting and scaling.

    Attributes
    ----------
    x : float array, shape (n_samples, n_features)
        NaN where missing and to be imputed.
    y : array
        Classes: int, shape (n_samples,). Otherwise float64, shape (n_samples, n_outputs).
    """

    x: np.ndarray
    y: np.ndarray


def normalised(content: Mapping[str, Any]) -> OwnArraysSettings:
    """Return the plain settings of arrays, checked as far as possible without the data.

    Raises
    ------
    UsageError
        With every invalid setting.
    """
    problems = []
    if "path" in content and not content["path"]:
        example = {"npz": "dataset.path=data.npz", "pictures": "dataset.path=pictures/"}[content["name"]]
        problems.append(Problem(f"dataset={content['name']} needs a path.", example))
    for key, allowed in (("task", ("auto", *TASKS)), ("missing", MISSING), ("colour", ("auto", "grey", "rgb"))):
        if key in content and content[key] not in allowed:
            problems.append(Problem(f"dataset.{key} must be one of {', '.join(allowed)}; got {content[key]!r}."))
    size = content.get("size")
    sizes = [size] if type(size) is int else size
    if size is not None and not (isinstance(sizes, list) and len(sizes) in (1, 2) and all(map(_is_side, sizes))):
        hint = "dataset.size=32 makes pictures 32 x 32, 'dataset.size=[24,32]' 24 high and 32 wide."
        problems.append(Problem(f"dataset.size must be a height and a width in pixels; got {size!r}.", hint))
    if "parameters" in content and not isinstance(content["parameters"], Mapping):
        hint = "'dataset.parameters={n: 100}' calls the function with n=100."
        problems.append(
            Problem(f"dataset.parameters must be a value for each name; got {content['parameters']!r}.", hint)
        )
    if problems:
        raise UsageError(*problems)
    path = {"path": str(Path(content["path"]).expanduser())} if "path" in content else {}
    settings = group_settings("dataset", {**content, **path})
    return function_state(settings) if isinstance(settings, CustomDatasetSettings) else settings


def _is_side(size: Any) -> bool:
    return type(size) is int and 1 <= size <= 10_000


def state_of(settings: OwnArraysSettings) -> list[Any] | None:
    """Return what changes when the data do, so that a description can be kept; None if nothing tells."""
    if isinstance(settings, NpzSettings):
        return list(file_state(settings.path))
    if isinstance(settings, PicturesSettings):
        # Imported only for pictures: Pillow takes 0.1 s.
        from lossbench.datasets.own_arrays.pictures import folder_state

        return folder_state(settings.path)
    return None


def described_arrays(settings: OwnArraysSettings) -> FileDescription:
    """Read arrays and return their description.

    Raises
    ------
    UsageError
        If they cannot be read, or do not fit the settings.
    """
    given, samples, inferred, kept = _read(settings)
    target = inferred.target
    used, classes = target.values[kept], target.values.ndim == 1
    facts = ArrayFacts(
        digest=given.digest,
        n_samples=int(kept.sum()),
        n_outputs=len(target.labels) if classes else used.shape[1],
        target_range=[0.0, len(target.labels) - 1.0] if classes else [float(used.min()), float(used.max())],
        labels=target.labels,
        n_features=samples.x.shape[1],
        shape=list(samples.shape),
    )
    if settings.ordered and (not classes or given.y.dtype.kind not in "iuf"):
        raise given.error("dataset.ordered=true needs classes that are numbers: they give the order.")
    lines = [f"{samples.words}; target {inferred.words}", *given.notes]
    n_dropped = len(kept) - facts.n_samples
    lines += [f"{n_dropped} rows that miss a value are left out"] if n_dropped else []
    warnings = [*given.warnings, *inferred.warnings, *_about_rows(facts.n_samples), *_repeated(samples, kept)]
    return FileDescription(
        target.task,
        facts,
        [f"{given.name}: {text}" for text in lines],
        [f"{given.name}: warning: {text}" for text in warnings],
        [],
        rarest_class(target, used) if classes else None,
        given.parts,
        samples.scaling,
    )


def read_arrays(settings: OwnArraysSettings) -> Arrays:
    """Return the arrays as planning has described them; with no digest, a fresh sample like them.

    Raises
    ------
    ValueError
        If the data have changed since they were planned, or a fresh sample is of another kind.
    """
    given, samples, inferred, kept = _read(settings)
    facts = settings.facts
    if not facts.digest:
        was = facts.n_samples, facts.n_features, facts.labels
        now = int(kept.sum()), samples.x.shape[1], inferred.target.labels
        if was != now:
            said = "samples, features and classes must be the same for each random_state"
            raise ValueError(f"{given.name}: {said}; the plan has {was}, a fresh sample {now}")
    elif given.digest != facts.digest:
        why = f"{given.name} has changed since the sweep was planned; the same command plans anew"
        if isinstance(settings, CustomDatasetSettings):
            why = f"{given.name} returns other data than it did for the plan: its random numbers need a fixed seed"
        raise ValueError(why)
    return Arrays(samples.x[kept], inferred.target.values[kept])


def _read(settings: OwnArraysSettings) -> tuple[Given, Samples, Inferred, np.ndarray]:
    """Return what was given, the samples, the target, and which samples are used."""
    if isinstance(settings, NpzSettings):
        given = read_npz(settings)
    elif isinstance(settings, PicturesSettings):
        from lossbench.datasets.own_arrays.pictures import read_pictures

        given = read_pictures(settings)
    else:
        assert isinstance(settings, CustomDatasetSettings), "there are three kinds of arrays"
        given = call_function(settings)
    inferred = infer_target(given, settings.task or "auto")
    samples = samples_of(given, settings.on_missing)
    kept = ~samples.missing if settings.on_missing == "drop" else np.ones(len(samples.x), bool)
    if not kept.any():
        raise given.error("no row is left: each one has a missing value.", "dataset.missing=impute")
    return given, samples, inferred, kept


def _about_rows(n_rows: int) -> list[str]:
    if n_rows < FEW_ROWS:
        return [f"only {n_rows} samples: they can hardly tell one loss from another"]
    said = f"{n_rows} samples, of which each run takes its training rows in each epoch"
    return [f"{said}: seeds=1 epochs=1 shows how long one takes"] if n_rows >= MANY_ROWS else []


def _repeated(samples: Samples, kept: np.ndarray) -> list[str]:
    """Return a warning if samples repeat others: where one is trained on and the other judged, that one is not new."""
    rows = samples.x[kept]
    n_repeated = len(rows) - len({row.tobytes() for row in rows})
    if not n_repeated:
        return []
    repeat = "samples repeat an earlier one" if n_repeated > 1 else "samples repeats an earlier one"
    said = f"{n_repeated} of {len(rows)} {repeat}"
    return [f"{said}; where one is trained on and its copy judged, the network looks better than it is on new rows"]
