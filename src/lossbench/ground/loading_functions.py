"""Imports functions by name.

Tables of plain data (data sets, losses) name functions as text, so reading a table does not import TensorFlow.
"""

import importlib
from collections.abc import Callable


def load_function(name: str) -> Callable:
    """Import and return the function that ``module:name`` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)
