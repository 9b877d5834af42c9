"""Changes the code in small ways, one at a time, and says which changes no direct test notices. See README.md.

`make mutants`, or `.venv/bin/python benchmarks/mutants.py --count 40 --only planning/keys`.
"""

import argparse
import ast
import compileall
import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("comparison", "planning", "results")
TESTS = (*(f"{folder}/{name}" for name in PACKAGES for folder in ("tests", "src/lossbench")), "tests/findings")
# These train.
LEFT_OUT = "--ignore=tests/results/test_earlier_results.py"
# Hydra, which has a plugin for pytest, is there before pytest.
OPTIONS = "-x -q -n 0 -p no:cacheprovider -W ignore::pytest.PytestAssertRewriteWarning"
# Imported once. Ours are imported anew for each mutant, in a process of its own.
HEAVY = ("hydra", "numpy", "omegaconf", "pandas", "pyarrow.parquet", "scipy.special", "scipy.stats", "yaml")
MOST_BYTES = 8 * 2**30
# A test that takes longer without any change is left out: most of those start commands.
MOST_SECONDS = 1.5
# Each for the other, in both directions.
OPERATORS = "Lt LtE, Gt GtE, Eq NotEq, In NotIn, Is IsNot, Add Sub, Mult Div, BitAnd BitOr, And Or"
NAMES = "min max, minimum maximum, any all, argmin argmax, low high"
SWAPPED = {old: new for pair in f"{OPERATORS}, {NAMES}".split(", ") for old, new in (pair.split(), pair.split()[::-1])}
SWAPPED |= {"FloorDiv": "Div", "Mod": "Mult", "Pow": "Mult"}
# Types and decorators make no numbers.
PASSED_OVER = ("annotation", "returns", "decorator_list")


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    module: str
    line: int
    before: str
    after: str
    source: str


def other(operator: ast.AST) -> ast.AST:
    return getattr(ast, SWAPPED[type(operator).__name__])()


def changed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""
    match node:
        case ast.Compare(left, ops, right):
            yield from (ast.Compare(left, [*ops[:i], other(op), *ops[i + 1 :]], right) for i, op in enumerate(ops))
        # Nobody could overlook another operator between mappings, types, paths, texts or lists.
        case ast.BinOp(_, ast.BitOr(), _) | ast.BinOp(_, _, ast.List() | ast.JoinedStr() | ast.Constant(str())):
            return
        case ast.BinOp(left, op, right) if type(op).__name__ in SWAPPED:
            yield ast.BinOp(left, other(op), right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(other(op), values)
        case ast.UnaryOp(ast.Not() | ast.USub() | ast.Invert(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Name(name, ast.Load()) if name in SWAPPED:
            yield ast.Name(SWAPPED[name])
        case ast.Attribute(value, name) if name in SWAPPED:
            yield ast.Attribute(value, SWAPPED[name])
        case ast.Return(ast.AST() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))
        case ast.comprehension(target, iterator, [_, *_], is_async):
            yield ast.comprehension(target, iterator, [], is_async)
        case ast.Expr(ast.Call()) | ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield ast.Pass()


def places(parent: ast.AST) -> Iterator[tuple[Any, Any]]:
    """Yield the holder of each node below one, a list or a node's fields, with its place in it."""
    for name, value in ast.iter_fields(parent):
        if name in PASSED_OVER:
            continue
        holder, keys = (value, range(len(value))) if isinstance(value, list) else (vars(parent), (name,))
        for key in keys:
            if isinstance(holder[key], ast.AST):
                yield holder, key
                yield from places(holder[key])


def mutants_of(module: str, source: str) -> Iterator[Mutant]:
    """Yield every change of a module."""
    tree = ast.parse(source)
    original = ast.unparse(tree).splitlines()
    for holder, key in list(places(tree)):
        node = holder[key]
        line = getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0)
        for holder[key] in changed(node):
            ast.copy_location(holder[key], node)
            text = ast.unparse(tree)
            pairs = zip(original, text.splitlines(), strict=False)
            # The first line in which it differs; none if a number is too large for one more to matter.
            yield from [Mutant(module, line, a.strip(), b.strip(), text) for a, b in pairs if a != b][:1]
        holder[key] = node


def sample(sources: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """Return mutants by turns of the modules, so that each has its share."""
    rng = random.Random(seed)
    found = [list(mutants_of(module, source)) for module, source in sources.items()]
    for mutants in found:
        rng.shuffle(mutants)
    turns = [mutants[turn] for turn in range(count) for mutants in found if turn < len(mutants)]
    return sorted(turns[:count], key=lambda mutant: (mutant.module, mutant.line))


class Order:
    """Tests of the module come first, then those of its package, then all others; of each the quick ones first."""

    def __init__(self, module: str, seconds: dict[str, float]):
        package, _, name = module.partition("/")
        self.own = (f"tests/{package}/test_{name}.py", f"src/lossbench/{module}.py")
        self.near, self.seconds, self.measured = f"tests/{package}/", seconds, Counter[str]()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        def rank(item: pytest.Item) -> tuple[bool, bool, float]:
            name = item.nodeid
            return not name.startswith(self.own), not name.startswith(self.near), self.seconds.get(name, 0.0)

        items[:] = sorted((item for item in items if self.seconds.get(item.nodeid, 0.0) <= MOST_SECONDS), key=rank)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # A test that would not end counts as one that fails: the signal ends the process.
        signal.alarm(int(15 + 5 * self.seconds.get(nodeid, 60.0)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.measured[report.nodeid] += report.duration


def tests_pass(module: str, seconds: dict[str, float]) -> bool:
    """Run the tests until one fails; how long each takes is noted in ``seconds`` if that is empty."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
            log = os.open("tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            signal.alarm(60)
            order = Order(module, seconds)
            status = pytest.main([*OPTIONS.split(), LEFT_OUT, *TESTS], [order])
            Path("seconds.json").write_text(json.dumps(order.measured))
            os._exit(int(status))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError):
        # What a test started and did not end.
        os.killpg(pid, signal.SIGKILL)
    seconds |= {} if status or seconds else json.loads(Path("seconds.json").read_text())
    return status == 0


def run(mutants: list[Mutant], seed: int) -> None:
    """Run the tests on each mutant and say what survives."""
    begun, seconds, survivors = time.monotonic(), {}, []
    for order in ("as they stand", "the quick ones first"):
        if not tests_pass("no module", seconds):
            sys.exit(f"error: without any change the tests, {order}, do not pass:\n{Path('tests.log').read_text()}")
    kept = [took for took in seconds.values() if took <= MOST_SECONDS]
    print(f"{len(mutants)} mutants, seed {seed}; {len(kept)} tests of {sum(kept):.0f} s", flush=True)
    for mutant in mutants:
        path = Path("src/lossbench", f"{mutant.module}.py")
        original = path.read_text()
        path.write_text(mutant.source)
        if tests_pass(mutant.module, seconds):
            survivors.append(mutant)
            print(f"survived: {mutant.module}.py:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}", flush=True)
        path.write_text(original)
    print(f"\n{'':<12}{'mutants':>8}{'killed':>8}{'survived':>10}")
    made, alive = (Counter(m.module.split("/")[0] for m in chosen) for chosen in (mutants, survivors))
    for name, n, left in [*((name, made[name], alive[name]) for name in made), ("all", len(mutants), len(survivors))]:
        print(f"{name:<12}{n:>8}{n - left:>8}{left:>10}")
    print(f"{1 - len(survivors) / len(mutants):.1%} killed; {time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many mutants (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument("--only", default="", help="modules whose path has this in it: planning/keys")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("src", "conf", "tests"):
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        os.chdir(folder)
        # By their content, so that a changed module is never taken for its compiled original.
        compileall.compile_dir("src", quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        os.environ["PYTHONPATH"] = f"{folder}/src"
        sys.path.insert(0, f"{folder}/src")
        for name in HEAVY:
            importlib.import_module(name)
        paths = [path for package in PACKAGES for path in sorted(Path("src/lossbench", package).rglob("*.py"))]
        modules = {str(path.relative_to("src/lossbench").with_suffix("")): path.read_text() for path in paths}
        chosen = {name: text for name, text in modules.items() if options.only in name}
        run(sample(chosen, options.count, options.seed), options.seed)


if __name__ == "__main__":
    main()
