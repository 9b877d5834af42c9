"""What the documentation tells a reader to do, done exactly as written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def section(page: str, title: str) -> str:
    return Path(f"docs/how-to/{page}.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(text: str) -> list[str]:
    return re.findall(r"```(?:python|yaml)\n(.*?)```", text, re.DOTALL)


def insert_before(path: Path, end: str, text: str) -> None:
    """Insert a text before the last of two lines that end a table."""
    content = path.read_text()
    assert content.count(end) == 1, path
    path.write_text(content.replace(end, text + end))


@pytest.mark.slow
def test_a_loss_can_be_added_by_following_the_how_to(tmp_path):
    for folder in ("src", "conf", "tests"):
        shutil.copytree(folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("pyproject.toml", tmp_path)
    function, row, settings, test_row = blocks(section("add", "Add a loss"))
    numbers = tmp_path / "src/lossbench/losses/regression.py"
    numbers.write_text(numbers.read_text() + "\n\n" + function)
    catalogue = tmp_path / "src/lossbench/losses/catalogue.py"
    content = catalogue.read_text()
    assert content.endswith("    ),\n)\n")
    catalogue.write_text(content.removesuffix(")\n") + row + ")\n")
    (tmp_path / "conf/loss/welsch.yaml").write_text(settings)
    insert_before(tmp_path / "tests/losses/test_losses.py", "    ],\n)\ndef test_published_values", test_row)

    env = {**os.environ, "PYTHONPATH": str(tmp_path / "src"), "LOSSBENCH_HOME": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-k",
        "welsch",
        "-m",
        "slow or not slow",
    ]
    files = ["tests/losses/test_losses.py", "tests/training/test_trainers.py", "src/lossbench/losses/regression.py"]
    done = subprocess.run(
        [*command, *files], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    # Finite, perfect, gradient, best constant, by hand, doctest; compiled and plain training.
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 8, done.stdout
    code = "from lossbench.commands.main import main; main()"
    options = ["-m", "dataset=diabetes", "loss=welsch", "loss.scale=0.5,2", "seeds=1", "epochs=1"]
    trained = subprocess.run(
        [sys.executable, "-c", code, *options, "tracking.enabled=false", "name=x"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    assert "welsch/scale=0.5" in trained.stdout


@pytest.mark.slow
def test_losses_are_compared_on_arrays_by_following_the_how_to(tmp_path):
    (code,) = blocks(section("python", "Compare losses on arrays, in Python or a notebook"))
    shown = "print(sweep.best)\nprint(sweep.figure('runs').title)\n"
    env = {**os.environ, "LOSSBENCH_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code + shown]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 cells, 90 runs, 0 finished" in done.stdout
    assert done.stdout.splitlines()[-1] == "Every run"


@pytest.mark.slow
def test_networks_are_trained_as_estimators_by_following_the_how_to(tmp_path):
    code, other = blocks(section("python", "Train a network as an estimator of scikit-learn"))
    text = Path("docs/how-to/python.md").read_text()
    (chosen,) = re.findall(r"`settings=({[^`]*patience[^`]*})`", text)
    more = f"model = {other.strip()}.fit(X, y > 140)\nmodel.set_params(settings={chosen}).fit(X, y > 140)\n"
    command = [sys.executable, "-c", code + more + "print(list(model.curves_))"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    score, best, curves = done.stdout.splitlines()
    assert 0.3 < float(score) < 0.6
    assert "'learning_rate': 0.001, 'loss': 'mse'" in best
    assert "validation/accuracy" in curves
