"""Which module may import what: read from the imports themselves."""

import ast
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path("src/lossbench")
PURE = (
    "config",
    "validation",
    "plan",
    "views",
    "seeds",
    "heads",
    "errors",
    "comparison",
    "space",
    "losses.table",
    "losses.catalogue",
    "losses.row",
    "losses.choice",
    "own_functions",
    "datasets.table",
    "datasets.splits",
    "datasets.text",
    "datasets.files",
    "datasets.columns",
    "datasets.targets",
    "datasets.rows",
    "datasets.facts",
    "metrics.table",
)
MODEL = (
    "datasets.loading",
    "datasets.generators",
    "datasets.images",
    "datasets.optima",
    "datasets.scaling",
    "losses.functions",
    "losses.numbers",
    "losses.classes",
    "models",
    "metrics.evaluate",
    "corruption",
    "metrics.calibration",
    "metrics.classes",
    "metrics.numbers",
    "naive",
    "saved.contents",
    "shape",
    "trainer",
)
EDGES = (
    *("results", "samples", "answer", "advice", "factcheck", "studies", "plots", "report", "experiment", "tracking"),
    *("study_tracking", "model_tracking", "saved.packing", "saved.serving", "terminal"),
    *("summary", "text_table", "published", "aggregates", "experiment_note"),
)
# Everything that a command does before it is known that something must be trained.
LIGHT = (
    *PURE,
    *(
        "samples",
        "answer",
        "provenance",
        "arguments",
        "compose",
        "drafts",
        "planning",
        "presets",
        "studies",
        "sweep",
        "watch",
    ),
    *("sync", "ui", "listing", "export", "cli", "launch", "factcheck", "report"),
)


@cache
def modules(prefix: str) -> list[str]:
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")]
    return [name for name in names if name == prefix or name.startswith(f"{prefix}.")]


@cache
def imports(name: str, *, lazy: bool) -> set[str]:
    """Return what a module imports when it is imported, or with ``lazy`` anywhere in it."""
    tree = ast.parse((SOURCE / Path(*name.split("."))).with_suffix(".py").read_text())
    nodes = ast.walk(tree) if lazy else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reached(name: str, seen: set[str] | None = None) -> set[str]:
    """Return the packages that importing a module brings in, through our own modules too."""
    seen = set() if seen is None else seen
    packages = set()
    for imported in imports(name, lazy=False):
        own = imported.removeprefix("lossbench.")
        if imported.startswith("lossbench.") and modules(own):
            own = own if (SOURCE / Path(*own.split("."))).with_suffix(".py").exists() else f"{own}.__init__"
            if own not in seen:
                seen.add(own)
                packages |= reached(own, seen)
        elif not imported.startswith("lossbench"):
            packages.add(imported.split(".")[0])
    return packages


@pytest.mark.parametrize(
    ("names", "forbidden"),
    [
        pytest.param(PURE, {"tensorflow", "keras", "mlflow", "sklearn", "hydra", "optuna"}, id="pure"),
        pytest.param(MODEL, {"hydra", "mlflow", "optuna"}, id="model"),
        pytest.param(EDGES, {"tensorflow", "keras", "hydra", "optuna"}, id="edges"),
        pytest.param(LIGHT, {"tensorflow", "keras", "mlflow", "sklearn", "optuna"}, id="light"),
        pytest.param(("tune",), {"tensorflow", "keras", "mlflow", "sklearn", "hydra"}, id="tune"),
    ],
)
def test_layers(names, forbidden):
    for prefix in names:
        assert modules(prefix), prefix
        for name in modules(prefix):
            assert not reached(name) & forbidden, name


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        (
            "mlflow",
            {
                *("experiment", "experiment_note", "aggregates", "tracking", "study_tracking", "model_tracking"),
                *("saved.packing", "saved.serving"),
            },
        ),
        ("optuna", {"tune"}),
    ],
)
def test_a_library_is_imported_where_it_belongs(library, allowed):
    everywhere = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")]
    found = {name for name in everywhere if any(i.split(".")[0] == library for i in imports(name, lazy=True))}
    assert found == allowed
