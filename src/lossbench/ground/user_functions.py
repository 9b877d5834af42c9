"""Finds a user's own function without importing it: what it needs may be heavy, and mistakes should be said at once."""

import ast
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from lossbench.ground.errors import Problem, unknown


def make_importable() -> None:
    """Let modules of the working directory be imported, as ``python -m`` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def find_function(key: str, name: str | None) -> str | Problem:
    """Return a digest of the file that ``package.module:name`` lies in, or what is wrong with the setting ``key``."""
    form = f"{key}=package.module:name, found from the working directory."
    if not name:
        return Problem(f"{key.split('.')[0]}=custom needs a function.", form)
    module, _, function = name.partition(":")
    if not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        return Problem(f"{key} must be of the form package.module:name; got {name!r}.", form)
    make_importable()
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return Problem(f"{key}={name}: there is no module {module!r}.", f"it is looked for in {os.getcwd()}.")
    content = Path(spec.origin).read_bytes()
    if spec.origin.endswith(".py"):
        try:
            names = _top_level_names(ast.parse(content))
        except SyntaxError as error:
            return Problem(f"{key}={name}: {spec.origin}, line {error.lineno}: {error.msg}.")
        if function not in names:
            return unknown(f"function in {spec.origin}:", function, names or ["nothing"])
    return hashlib.sha256(content).hexdigest()[:16]


def _top_level_names(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return names
