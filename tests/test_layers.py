"""Which module may import what, read from the tree: every module has a package, and packages import downwards only."""

import ast
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path("src/lossbench")
# From the bottom up: a package imports itself and those before it, inside functions too.
ORDER = (
    *("ground", "config", "losses", "datasets", "metrics", "comparison", "training", "planning", "results", "tuning"),
    *("export", "findings", "jobs", "console", "report", "paper", "tracking", "sweep", "interface", "commands"),
)
MOST_AT_THE_TOP = 8
HEAVY = {"tensorflow", "keras", "mlflow", "sklearn"}
# What importing a module may not bring in, by the longest of these names that it begins with.
FORBIDDEN = {
    "__init__": {*HEAVY, "hydra", "optuna", "numpy", "pandas"},
    "ground": {*HEAVY, "hydra", "optuna", "pandas"},
    "ground.quiet_tensorflow": {"mlflow", "hydra", "optuna"},
    "config": {*HEAVY, "hydra", "optuna"},
    "losses": {*HEAVY, "hydra", "optuna"},
    "losses.functions": {"mlflow", "hydra", "optuna"},
    "losses.regression": {"mlflow", "hydra", "optuna"},
    "losses.classification": {"mlflow", "hydra", "optuna"},
    "losses.shape": {"mlflow", "hydra", "optuna"},
    "datasets": {*HEAVY, "hydra", "optuna"},
    "datasets.folds": {"tensorflow", "keras", "mlflow", "hydra", "optuna"},
    "datasets.corruption": {"mlflow", "hydra", "optuna"},
    "datasets.generators": {"mlflow", "hydra", "optuna"},
    "datasets.images": {"mlflow", "hydra", "optuna"},
    "datasets.loading": {"mlflow", "hydra", "optuna"},
    "datasets.optima": {"mlflow", "hydra", "optuna"},
    "datasets.scaling": {"mlflow", "hydra", "optuna"},
    "metrics": {"tensorflow", "keras", "mlflow", "hydra", "optuna"},
    "metrics.catalogue": {*HEAVY, "hydra", "optuna"},
    "comparison": {*HEAVY, "hydra", "optuna", "pandas"},
    "training": {"mlflow", "hydra", "optuna"},
    "planning": {*HEAVY, "optuna"},
    "planning.plan": {*HEAVY, "hydra", "optuna"},
    "planning.validation": {*HEAVY, "hydra", "optuna"},
    "results": {*HEAVY, "hydra", "optuna"},
    "tuning.proposals": {*HEAVY, "hydra"},
    "tuning.study": {"mlflow", "hydra", "optuna"},
    "tuning.folds": {"tensorflow", "keras", "mlflow", "hydra", "optuna"},
    "tuning.conclusion": {"tensorflow", "keras", "mlflow", "hydra", "optuna"},
    "tuning": {*HEAVY, "hydra", "optuna"},
    "export": {*HEAVY, "hydra", "optuna"},
    "export.saved_model.contents": {"tensorflow", "keras", "mlflow", "hydra", "optuna"},
    "export.saved_model.packing": {"tensorflow", "keras", "sklearn", "hydra", "optuna"},
    "export.saved_model.serving": {"tensorflow", "keras", "sklearn", "hydra", "optuna", "lossbench"},
    "findings": {*HEAVY, "hydra", "optuna"},
    "jobs": {"mlflow", "optuna"},
    "jobs.launch": {*HEAVY, "optuna"},
    "jobs.cluster": {*HEAVY, "optuna", "submitit", "pandas"},
    "jobs.cluster.job_list": {*HEAVY, "hydra", "optuna", "submitit", "pandas"},
    "jobs.early_start": {*HEAVY, "hydra", "optuna", "pandas"},
    "jobs.failed_runs": {*HEAVY, "hydra", "optuna"},
    "jobs.failing_alike": {*HEAVY, "hydra", "optuna"},
    "jobs.worker": {*HEAVY, "hydra", "optuna", "pandas"},
    "console": {*HEAVY, "hydra", "optuna"},
    "report": {*HEAVY, "hydra", "optuna"},
    "paper": {*HEAVY, "hydra", "optuna"},
    "tracking": {"tensorflow", "keras", "sklearn", "hydra", "optuna"},
    "tracking.process": {*HEAVY, "hydra", "optuna"},
    "tracking.saved_views": {*HEAVY, "hydra", "optuna"},
    "sweep": {*HEAVY, "optuna"},
    "interface": {*HEAVY, "hydra", "optuna"},
    "commands": {*HEAVY, "optuna"},
    "commands.main": {*HEAVY, "optuna", "hydra", "omegaconf", "numpy", "pandas"},
    "commands.completion": {*HEAVY, "optuna", "hydra", "omegaconf", "numpy", "pandas", "yaml"},
    "commands.completion.table": {*HEAVY, "optuna"},
}
# Pure: they compute. What they return is written by others.
PURE = ("losses", "datasets", "metrics", "comparison", "config", "findings", "paper")
WRITES = {"write_text", "write_bytes", "mkdir", "unlink", "rename", "replace_file", "savez", "to_csv"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def own(imported: str) -> str | None:
    """Return the module of ours that an imported name is or lies in; None for other packages."""
    parts = imported.split(".")
    if parts[0] != "lossbench":
        return None
    for end in range(len(parts), 0, -1):
        for name in (".".join(parts[1:end]), ".".join([*parts[1:end], "__init__"])):
            if name in MODULES:
                return name
    return None


@cache
def imports(name: str, *, lazy: bool) -> set[str]:
    """Return what a module imports when it is imported, or with ``lazy`` anywhere in it; parents' ``__init__`` too."""
    tree = ast.parse(MODULES[name].read_text())
    found = set()
    for node in ast.walk(tree) if lazy else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parents(name: str) -> set[str]:
    parts = name.split(".")[:-1]
    return {".".join([*parts[:i], "__init__"]) for i in range(len(parts) + 1)} - {name}


def reached(name: str, seen: set[str] | None = None) -> set[str]:
    """Return the packages that importing a module brings in, through our own modules too."""
    seen = set() if seen is None else seen
    seen.add(name)
    packages = set()
    for imported in imports(name, lazy=False):
        module = own(imported)
        if module is None:
            packages.add(imported.split(".")[0])
            continue
        for next_one in {module, *parents(module)} - seen:
            packages |= reached(next_one, seen)
    return packages


def test_the_top_folder_has_few_files_and_every_package_is_in_the_order():
    assert len([path for path in SOURCE.iterdir() if path.is_file()]) <= MOST_AT_THE_TOP
    assert {name.split(".")[0] for name in MODULES} - {"__init__"} == set(ORDER)


def test_every_package_has_a_docstring():
    for folder in {path.parent for path in MODULES.values()} - {SOURCE}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downwards(name):
    package = name.split(".")[0]
    if package == "__init__":
        assert not {own(i) for i in imports(name, lazy=True)} - {None}
        return
    above = set(ORDER[ORDER.index(package) + 1 :])
    modules = {own(imported) for imported in imports(name, lazy=True)} - {None}
    assert not {module for module in modules if module.split(".")[0] in above}


@pytest.mark.parametrize("name", MODULES)
def test_importing_a_module_loads_no_forbidden_library(name):
    fitting = [prefix for prefix in FORBIDDEN if name == prefix or name.startswith(f"{prefix}.")]
    assert fitting, f"{name} has no place in FORBIDDEN"
    found = reached(name) | ({"lossbench"} if {own(i) for i in imports(name, lazy=True)} - {None} else set())
    assert not found & FORBIDDEN[max(fitting, key=len)]


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(PURE)])
def test_pure_modules_write_nothing(name):
    calls = [node.func for node in ast.walk(ast.parse(MODULES[name].read_text())) if isinstance(node, ast.Call)]
    called = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    assert not called & WRITES


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        pytest.param("mlflow", ("tracking.", "export.saved_model."), id="mlflow"),
        pytest.param("optuna", ("tuning.proposals",), id="optuna"),
        pytest.param(
            "hydra", ("planning.", "jobs.launch", "jobs.cluster.group", "jobs.job_configs", "commands.main"), id="hydra"
        ),
        pytest.param("submitit", ("jobs.cluster.",), id="submitit"),
    ],
)
def test_only_the_allowed_modules_import_a_library(library, allowed):
    found = {name for name in MODULES if any(i.split(".")[0] == library for i in imports(name, lazy=True))}
    assert found
    assert all(name.startswith(allowed) for name in found), found
