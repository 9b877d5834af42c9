"""Changes the code in small ways, one at a time, and says which changes no direct test notices. See README.md.

`make mutants`, or `.venv/bin/python benchmarks/mutants.py --count 40 --only planning/keys`.
"""

import argparse
import compileall
import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest
from changes import Mutant, sample

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
MOST_SECONDS = 0.7


class Order:
    """The quick ones first, and the slow ones not at all."""

    def __init__(self, seconds: dict[str, float]):
        self.seconds, self.measured = seconds, Counter[str]()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        took = {item: self.seconds.get(item.nodeid, 0.0) for item in items}
        items[:] = sorted((item for item in items if took[item] <= MOST_SECONDS), key=lambda item: took[item])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        # A test that would not end counts as one that fails: the signal ends the process.
        signal.alarm(int(15 + 5 * self.seconds.get(nodeid, 60.0)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.measured[report.nodeid] += report.duration


def own_tests(module: str) -> list[str]:
    """Return where the tests of a module stand that are named after it, or else those of its package."""
    package, _, name = module.partition("/")
    own = f"tests/{package}/test_{name}.py"
    return [own if Path(own).exists() else f"tests/{package}", f"src/lossbench/{module}.py"]


def tests_pass(tests: Iterable[str], seconds: dict[str, float]) -> bool:
    """Run tests until one fails; how long each takes is noted in ``seconds`` if that is empty."""
    pid, status = os.fork(), 1
    if pid == 0:
        try:
            os.setsid()
            signal.alarm(60)
            resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
            with open("tests.log", "w") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            order = Order(seconds)
            status = int(pytest.main([*OPTIONS.split(), LEFT_OUT, *tests], [order]))
            # No test at all: there are none of the module's own.
            status = 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status
            Path("seconds.json").write_text(json.dumps(order.measured))
        finally:
            os._exit(status)
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
        if not tests_pass(TESTS, seconds):
            sys.exit(f"error: without any change the tests, {order}, do not pass:\n{Path('tests.log').read_text()}")
    kept = [took for took in seconds.values() if took <= MOST_SECONDS]
    print(f"{len(mutants)} mutants, seed {seed}; {len(kept)} tests of {sum(kept):.0f} s", flush=True)
    for mutant in mutants:
        path = Path("src/lossbench", f"{mutant.module}.py")
        original = path.read_text()
        path.write_text(mutant.source)
        if tests_pass(own_tests(mutant.module), seconds) and tests_pass(TESTS, seconds):
            survivors.append(mutant)
            print(f"survived: {mutant.module}.py:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}", flush=True)
        path.write_text(original)
    print(f"\n{'':<12}{'mutants':>8}{'killed':>8}{'survived':>10}")
    for package in (*PACKAGES, ""):
        n, left = (sum(m.module.startswith(package) for m in some) for some in (mutants, survivors))
        print(f"{package or 'all':<12}{n:>8}{n - left:>8}{left:>10}")
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
        sys.dont_write_bytecode = False
        os.environ["PYTHONPATH"] = f"{folder}/src"
        sys.path.insert(0, f"{folder}/src")
        for name in HEAVY:
            importlib.import_module(name)
        source = Path("src/lossbench")
        paths = [path for package in PACKAGES for path in sorted((source / package).rglob("*.py"))]
        modules = {str(path.relative_to(source).with_suffix("")): path.read_text() for path in paths}
        chosen = {name: text for name, text in modules.items() if options.only in name}
        run(sample(chosen, options.count, options.seed), options.seed)


if __name__ == "__main__":
    main()
