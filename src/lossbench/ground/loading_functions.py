"""Functions that a table names."""

import importlib
from collections.abc import Callable


def load_function(name: str) -> Callable:
    """Return the function that ``module:name`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
