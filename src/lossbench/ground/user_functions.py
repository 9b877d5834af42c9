"""Finds a user's own function without importing its module.

Planning checks that the function exists before anything trains. The module may import TensorFlow, which would cost
planning seconds, so its source is parsed instead.
"""

import ast
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from lossbench.ground.errors import Problem, unknown


def make_importable() -> None:
    """Add the working directory to the import path, as ``python -m`` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def find_function(key: str, name: str | None) -> str | Problem:
    """Return the digest of the file that defines a function, or the problem with the setting that names it.

    Parameters
    ----------
    key : str
        The setting, such as ``loss.function``, as the message names it.
    name : str or None
        The function, as ``package.module:name``.
    """
    form = f"{key}=package.module:name, found from the working directory."
    if not name:
        return Problem(f"{key.split('.')[0]}=custom needs a function.", form)
    module, _, function = name.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        return Problem(f"{key} must be of the form package.module:name; got {name!r}.", form)
    make_importable()
    try:
        # For a.b.c this imports the packages a and a.b, but not the module itself.
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return Problem(f"{key}={name}: there is no module {module!r}.", f"it is looked for in {os.getcwd()}.")
    content = Path(spec.origin).read_bytes()
    # A compiled module has no source to parse: a missing function then shows when the job imports it.
    if spec.origin.endswith(".py"):
        try:
            names = _top_level_names(ast.parse(content))
        except SyntaxError as error:
            return Problem(f"{key}={name}: {spec.origin}, line {error.lineno}: {error.msg}.")
        if function not in names:
            return unknown(f"function in {spec.origin}:", function, names or ["nothing"])
    return hashlib.sha256(content).hexdigest()[:16]


def _top_level_names(tree: ast.Module) -> list[str]:
    """Return the names that a module defines or imports at its top level."""
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return names
