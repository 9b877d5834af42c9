"""Collects the source code of a function and of everything in this package that it uses, for a stand-alone script."""

import ast
import importlib.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass
class Source:
    """Source code that runs without this package.

    Attributes
    ----------
    imports : list of str
        Import statements of other packages.
    definitions : list of str
        Source of functions and constants, in an order in which each is defined before it is used; docstrings are
        omitted.
    """

    imports: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)

    def add(self, function: str) -> None:
        """Add the function ``module:name`` of this package, and the functions, constants and imports that it uses."""
        module, _, name = function.partition(":")
        names = _top_level(module)
        definition = names[name]
        if isinstance(definition, str):
            self._import(definition, name)
            return
        for used in ast.walk(definition):
            if isinstance(used, ast.Name) and used.id in names and used.id != name:
                self.add(f"{module}:{used.id}")
        text = ast.unparse(_without_docstring(definition))
        if text not in self.definitions:
            self.definitions.append(text)

    def _import(self, statement: str, name: str) -> None:
        if statement.startswith("from lossbench."):
            self.add(f"{statement.split()[1]}:{name}")
        elif statement not in self.imports:
            self.imports.append(statement)


@cache
def _top_level(module: str) -> dict[str, ast.stmt | str]:
    """Return the definition of each top-level name of a module: a function, an assignment, or an import as text."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    names: dict[str, ast.stmt | str] = {}
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node
        elif isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = ast.unparse(ast.ImportFrom(node.module, [alias], 0))
    return names


def _without_docstring(definition: ast.stmt) -> ast.stmt:
    if isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition) is not None:
        definition = ast.FunctionDef(**{**vars(definition), "body": definition.body[1:]})
    return definition
