"""Calls a user's function that returns samples and targets."""

import ast
import importlib
import importlib.util
import json
import os
import traceback
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.config.settings import CustomDatasetSettings, plain
from lossbench.datasets.own_arrays.given import Given, digest_of, shape_in_words
from lossbench.ground.errors import Problem, UsageError
from lossbench.ground.user_functions import find_function

RETURNS = "a function of a data set returns its samples and its targets: return x, y"
RANDOM_STATE = "random_state"


def function_state(settings: CustomDatasetSettings) -> CustomDatasetSettings:
    """Return the settings of a function with the digest of its file, and a random state if it takes one.

    Raises
    ------
    UsageError
        If there is no such function.
    """
    found = find_function("dataset.function", settings.function)
    if isinstance(found, Problem):
        raise UsageError(found)
    parameters = dict(settings.parameters)
    if RANDOM_STATE in _parameters(settings.function):
        parameters.setdefault(RANDOM_STATE, 0)
    return replace(settings, digest=found, parameters=parameters)


def _parameters(function: str) -> list[str]:
    """Return the names of a function's parameters, from the source of its module; none if that does not tell."""
    module, _, name = function.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            given = node.args
            return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return []


def call_function(settings: CustomDatasetSettings) -> Given:
    """Return what a function returns; cached, so that all cells of a sweep have the same.

    Raises
    ------
    UsageError
        If it raises, or returns something else than samples and targets.
    """
    return _called(settings.function, json.dumps(plain(settings.parameters), sort_keys=True), settings.digest)


@lru_cache(maxsize=1)
def _called(function: str, parameters_json: str, digest: str) -> Given:
    """Call a function. ``digest`` is unused but part of the cache's key."""
    name = function.replace(":", ".") + "()"
    parameters: dict[str, Any] = json.loads(parameters_json)
    try:
        returned = _imported(function)(**parameters)
    except Exception as error:
        raise UsageError(_raised(function, parameters, error)) from None
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise UsageError(Problem(f"{name} must return two arrays; got {type(returned).__name__}.", RETURNS))
    x, y = (_array(name, each) for each in returned)
    shown = ", ".join(f"{key}={value}" for key, value in parameters.items())
    again = [f"called with {shown}"] if shown else []
    if RANDOM_STATE in parameters:
        again.append("repeat=samples draws it anew for each run")
    head = ["array", "what it is", "used as"]
    parts = [head, ["x", shape_in_words(x), "samples"], ["y", shape_in_words(y), "targets"]]
    return Given(name, x, y, digest_of(x, y), notes=["; ".join(again)] if again else [], parts=parts)


def _imported(function: str) -> Any:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _array(name: str, values: Any) -> np.ndarray:
    """Return what a function returned as an array; of a table its cells."""
    if hasattr(values, "toarray"):
        raise UsageError(Problem(f"{name} returns a sparse matrix.", "return x.toarray(), y"))
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise UsageError(Problem(f"{name} returns no array: {error}.", RETURNS)) from None
    if array.dtype.kind == "O":
        # Columns of numbers of several types, or texts as Python objects.
        texts = all(isinstance(each, str) for each in array.ravel()[:1000])
        try:
            return array.astype(str) if texts else array.astype(np.float64)
        except (TypeError, ValueError):
            return array
    return array


def _raised(function: str, parameters: Mapping[str, Any], error: Exception) -> Problem:
    """Return the problem of a function that raised, with the place in the user's own file."""
    module, _, name = function.partition(":")
    spec = importlib.util.find_spec(module)
    origin = spec.origin if spec is not None else None
    lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == origin]
    place = f" ({os.path.basename(origin)}, line {lines[-1]})" if lines and origin else ""
    said = " ".join("".join(traceback.format_exception_only(error)).split()).rstrip(".")
    given = ", ".join(f"{key}: {value!r}" for key, value in parameters.items())
    arguments = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
    hint = f'python -c "import {module}; {module}.{name}({arguments})" shows where.'
    if isinstance(error, TypeError) and not lines:
        # The call itself fails: its arguments do not fit.
        wanted = ", ".join(f"{each}: …" for each in _parameters(function))
        hint = f"'dataset.parameters={{{wanted}}}' gives them; now it is {{{given}}}."
    return Problem(f"{module}.{name}() raised {said}{place}.", hint)
