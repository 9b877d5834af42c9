"""Finds a user's own function without importing its module.

Planning checks that the function exists before anything trains. The module may import TensorFlow, which would cost
planning seconds, so its source is parsed instead.
"""

import ast
import hashlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lossbench.ground.errors import Problem, unknown


def make_importable() -> None:
    """Add the working directory to the import path, as ``python -m`` does."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def find_function(
    key: str, name: str | None, called_with: Sequence[str] = (), parameters: Mapping | None = None
) -> str | Problem:
    """Return the digest of the file that defines a function, or the problem with the setting that names it.

    Parameters
    ----------
    key : str
        The setting, such as ``loss.function``, as the message names it.
    name : str or None
        The function, as ``package.module:name``.
    called_with : sequence of str
        The names of what it is called with by place.
    parameters : mapping, optional
        What it is called with by name. Without it, how it is called is not checked.
    """
    form = f"{key}=package.module:name, found from the working directory."
    if not name:
        return Problem(f"{key.split('.')[0]}=custom needs a function.", form)
    module, _, function = name.partition(":")
    is_path = "/" in module or (module.endswith(".py") and Path(module).is_file())
    if is_path or not function.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        near = module.removesuffix(".py").removeprefix("./").replace("/", ".")
        is_below = is_path and all(part.isidentifier() for part in near.split("."))
        meant = f"did you mean {key}={near}:{function or 'name'}?" if is_below else form
        return Problem(f"{key} must be of the form package.module:name; got {name!r}.", meant)
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
            tree = ast.parse(content)
        except SyntaxError as error:
            return Problem(f"{key}={name}: {spec.origin}, line {error.lineno}: {error.msg}.")
        names = _top_level_names(tree)
        if function not in names:
            return unknown(f"function in {spec.origin}:", function, names or ["nothing"])
        wrong = [] if parameters is None else _wrong_call(tree, function, called_with, parameters)
        if wrong:
            group = key.partition(".")[0]
            by_place = f"{', '.join(called_with)} and then " if called_with else ""
            hint = f"it is called with {by_place}{group}.parameters: '{group}.parameters={{width: 64}}', say."
            return Problem(f"{key}={name} {' and '.join(wrong)}.", hint)
    return hashlib.sha256(content).hexdigest()[:16]


def _wrong_call(tree: ast.Module, function: str, called_with: Sequence[str], given: Mapping) -> list[str]:
    """Return what is wrong with calling a function so, as clauses; what its source does not tell is not checked."""
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if len(found) != 1 or found[0].decorator_list or _n_bindings(tree, function) > 1:
        return []
    own = found[0].args
    by_place = [each.arg for each in (*own.posonlyargs, *own.args)]
    required = by_place[len(called_with) : len(by_place) - len(own.defaults)]
    required += [each.arg for each, value in zip(own.kwonlyargs, own.kw_defaults, strict=True) if value is None]
    known = {*by_place[len(called_with) :], *(each.arg for each in own.kwonlyargs)}
    problems = []
    if len(by_place) < len(called_with) and own.vararg is None:
        problems.append(f"takes {len(by_place)} arguments by place, not {len(called_with)}")
    if lacking := [name for name in required if name not in given]:
        problems.append(f"needs {', '.join(lacking)}, which it is not given")
    if surplus := [name for name in given if name not in known and own.kwarg is None]:
        problems.append(f"does not take {', '.join(map(str, surplus))}")
    return problems


def _n_bindings(tree: ast.Module, name: str) -> int:
    """Return how often a module may give a name a meaning, at whatever depth."""
    made = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    made += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    made += [node.asname or node.name for node in ast.walk(tree) if isinstance(node, ast.alias)]
    return made.count(name)


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
