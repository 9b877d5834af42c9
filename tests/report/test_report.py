"""The report as a reader meets it: opened in a browser, rebuilt from its files, refused where runs are missing."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support.browser import Browser
from support.commands import BIN, environment, run
from support.sweeps import Sweep

from lossbench.commands.report import run as report_command
from lossbench.ground.errors import UsageError
from lossbench.losses.pairing import LOSSES
from lossbench.report.drawing import mark

WRITTEN = ("report.html", "report.md", "comparison.csv")


@pytest.fixture
def copied(smoke: Sweep, tmp_path) -> Path:
    """The smoke sweep's folder in a home of its own, to be changed."""
    shutil.copytree(smoke.home / "multirun", tmp_path / "multirun")
    return tmp_path / "multirun" / "smoke"


@pytest.fixture
def report(monkeypatch, capsys):
    """``lossbench-report`` in this process: returns what it prints."""

    def command(folder: Path, *arguments: str) -> str:
        monkeypatch.setenv("LOSSBENCH_HOME", str(folder.parents[1]))
        assert report_command(list(arguments)) == 0
        return capsys.readouterr().out

    return command


def test_a_sweep_writes_its_report(smoke: Sweep):
    assert f"report: {smoke.folder / 'report.html'}" in smoke.done.out or "report: multirun" in smoke.done.out
    page = (smoke.folder / "report.html").read_text()
    assert "3 are too few for a verdict" in page or "3 seeds are too few for a verdict" in page
    for name in ("binary_crossentropy", "hinge", "mean_squared_error", "categorical_crossentropy"):
        assert name in page.replace("<wbr>", "")
    for title in ("Every run", "Curves", "Decision boundaries", "Predicted against true", "Calibration", "Confusion"):
        assert title in page
    assert "The shape of each loss" in page
    with open(smoke.folder / "comparison.csv") as file:
        rows = list(csv.DictReader(file))
    (hinge,) = (row for row in rows if row["loss"] == "hinge" and row["metric"] == "accuracy")
    assert (hinge["verdict"], hinge["pairs"], hinge["margin"]) == ("too few seeds", "3", "0.005")
    assert {row["metric"] for row in rows} >= {"rmse", "mae", "accuracy", "log_loss", "roc_auc"}


def test_figures_are_files_with_their_numbers(smoke: Sweep):
    folder = smoke.folder / "figures"
    drawings = list(folder.glob("*.svg"))
    assert len(drawings) >= 12
    for path in drawings:
        root = ElementTree.fromstring(path.read_bytes())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in path.read_text()
        # A stand-in colour that is left would be nearly black on everything.
        assert not re.search(r"#0[01][0-9a-f]0[01][0-9a-f]\b", path.read_text())
    tables = {path.stem for path in folder.glob("*.csv")}
    assert all(any(path.stem.startswith(name) for name in tables) for path in drawings)
    with open(folder / "circles-runs.csv") as file:
        assert len(list(csv.DictReader(file))) == 6


def test_the_report_is_rebuilt_from_files_alone_byte_for_byte(copied: Path):
    before = {path.name: path.read_bytes() for path in (copied / "figures").iterdir()}
    before |= {name: (copied / name).read_bytes() for name in WRITTEN}
    for name in before:
        (copied / "figures" / name if (copied / "figures" / name).exists() else copied / name).unlink()
    probe = "import sys, atexit\n"
    probe += "atexit.register(lambda: print([m for m in ('tensorflow', 'mlflow', 'sklearn') if m in sys.modules]))\n"
    probe += "sys.argv = ['lossbench-report', 'smoke']\nfrom lossbench.commands.main import report_main\nreport_main()"
    done = subprocess.run(
        [BIN / "python", "-c", probe],
        env=environment(copied.parents[1]),
        cwd=copied,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    after = {path.name: path.read_bytes() for path in (copied / "figures").iterdir()}
    after |= {name: (copied / name).read_bytes() for name in WRITTEN}
    assert after == before


def test_names_of_the_user_are_escaped_in_the_page(copied: Path, report):
    plan = json.loads((copied / "plan.json").read_text())
    plan["command"] = "lossbench name='<script>alert(1)</script>'"
    plan["skipped"] = [["circles/<img src=x onerror=alert(1)>", "a & b"]]
    (copied / "plan.json").write_text(json.dumps(plan))
    report(copied, "smoke")
    page = (copied / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt; (a &amp; b)" in page
    assert "<img" not in (copied / "report.md").read_text()


def test_missing_runs_refuse_the_comparison_or_are_named_in_it(copied: Path, report):
    part = next(copied.glob("circles-hinge-*/parts/seed=1.npz"))
    part.unlink()
    assert "On circles nothing is compared: 1 of 6 runs are missing or failed" in report(copied, "smoke")
    assert "hinge: 1 runs missing or failed" in (copied / "report.html").read_text()
    assert "nothing is compared" not in report(copied, "smoke", "report.allow_missing=true")
    assert "hinge: 1 runs missing or failed" in (copied / "report.html").read_text()


def test_two_sweeps_are_compared_over_the_cells_they_share(copied: Path, report):
    other = copied.parent / "other"
    shutil.copytree(copied, other)
    plan = json.loads((other / "plan.json").read_text())
    plan["name"] = "other"
    (other / "plan.json").write_text(json.dumps(plan))
    shutil.rmtree(next(other.glob("blobs-*")))
    said = report(copied, "smoke", "other")
    assert "other against smoke: 4 shared cells, 3 shared seeds" in said
    with open(other / "against-smoke.csv") as file:
        rows = {row["cell"]: row for row in csv.DictReader(file)}
    assert rows["circles/hinge/tanh"]["difference"] == "0"
    assert "no setting differs" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["smok"], "unknown sweep 'smok'.\n  hint: did you mean 'smoke'?", id="name"),
        pytest.param(["smoke", "report.margin=-1"], "report.margin must be at least 0; got -1.", id="margin"),
        pytest.param(["smoke", "report.baseline=huber"], "report.baseline must be a loss of the sweep", id="baseline"),
        pytest.param(
            ["smoke", "report.margn=0.1"],
            "unknown key 'report.margn'.\n  hint: did you mean 'report.margin'?",
            id="key",
        ),
        pytest.param(["smoke", "smoke", "smoke"], "takes one sweep, or two to compare; got 3.", id="three"),
    ],
)
def test_mistaken_arguments_of_the_report_command_are_errors(smoke: Sweep, report, arguments, message):
    with pytest.raises(UsageError) as error:
        report(smoke.folder, *arguments)
    assert message in str(error.value)


def test_every_loss_has_a_mark_of_its_own():
    marks = [mark(name) for name in LOSSES]
    assert len({(m.number, m.marker) for m in marks}) == len(marks)
    # The losses of the tutorial that stand in one figure have colours of their own.
    for names in (("binary_crossentropy", "hinge", "squared_hinge"), ("categorical_crossentropy", "kl_divergence")):
        assert len({mark(name).number for name in names}) == len(names)


# ---- In a browser.


@pytest.fixture(scope="module")
def browser():
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with Browser() as opened:
        yield opened


def test_the_page_opens_sorts_and_changes_its_theme(smoke: Sweep, browser: Browser):
    browser.console.clear()
    browser.requests.clear()
    browser.open(smoke.folder / "report.html")
    losses = "[...document.querySelectorAll('#circles table.sortable tbody')[0].rows].map(r => r.cells[0].innerText)"
    value = "[...document.querySelectorAll('#circles table.sortable tbody')[0].rows].map(r => +r.cells[2].dataset.sort)"
    before = browser.run(value)
    assert before == sorted(before, reverse=True)
    # With the keyboard: to the header's button, and Enter.
    browser.run("document.querySelectorAll('#circles thead button')[2].focus()")
    browser.press("Enter", 13)
    assert browser.run(value) == sorted(before)
    assert browser.run("document.querySelector('#circles th[aria-sort]').ariaSort") == "ascending"
    browser.press("Enter", 13)
    assert browser.run(value) == before
    browser.run("document.querySelectorAll('#circles thead button')[0].click()")
    names = browser.run(losses)
    assert names == sorted(names)

    colours = []
    for _ in range(2):
        colours.append(browser.run("getComputedStyle(document.body).backgroundColor"))
        browser.run("document.getElementById('theme').click()")
    assert colours[0] != colours[1]
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.open(smoke.folder / "report.html")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == colours[1]
    browser.ask("Emulation.setEmulatedMedia", features=[])

    assert browser.console == []
    assert set(browser.requests) <= {(smoke.folder / "report.html").as_uri(), "data:,"}


@pytest.mark.parametrize("width", [320, 400, 768, 1400])
def test_no_element_of_the_page_is_wider_than_the_window(smoke: Sweep, browser: Browser, width):
    browser.open(smoke.folder / "report.html", width)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_the_page_has_descriptions_for_screen_readers(smoke: Sweep, browser: Browser):
    browser.open(smoke.folder / "report.html")
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    assert browser.run("[...document.querySelectorAll('th')].every(h => h.scope)")
    assert browser.run("[...document.querySelectorAll('svg')].every(s => s.ariaLabel.length > 10)")
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = browser.run("[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))")
    assert set(links) <= set(ids)
    files = browser.run("[...document.querySelectorAll('a:not([href^=\"#\"])')].map(a => a.getAttribute('href'))")
    assert all((smoke.folder / name).exists() for name in files)
    # The first stop of the keyboard leads to the answer.
    browser.press("Tab", 9)
    assert browser.run("document.activeElement.getAttribute('href')") == "#answer"


# ---- The tutorial.


@pytest.mark.slow
def test_the_report_of_the_tutorial_has_the_expected_verdicts_and_claims(tmp_path):
    done = run(tmp_path, "experiment=tutorial", "tracking.enabled=false")
    assert done.status == 0, done.err
    folder = tmp_path / "multirun" / "tutorial"
    with open(folder / "comparison.csv") as file:
        rows = {(row["loss"], row["metric"]): row for row in csv.DictReader(file)}
    assert rows["kl_divergence", "accuracy"]["verdict"] == "equivalent"
    assert float(rows["kl_divergence", "accuracy"]["p"]) == 1.0
    for name in ("hinge", "squared_hinge"):
        assert -0.02 < float(rows[name, "accuracy"]["difference"]) < 0
    text = (folder / "report.md").read_text()
    assert "**mostly an artefact**: “On circles, hinge and squared hinge" in text
    assert run(tmp_path, "tutorial", command="lossbench-report").status == 0
    assert "nothing to run" in run(tmp_path, "experiment=tutorial", "tracking.enabled=false").out


def test_the_shape_of_a_loss_is_written_with_its_cell(smoke: Sweep):
    with np.load(next(smoke.folder.glob("regression-*/shape.npz"))) as shape:
        assert shape["loss"] == pytest.approx(shape["x"] ** 2, abs=1e-5)
    with np.load(next(smoke.folder.glob("circles-hinge-*/shape.npz"))) as shape:
        assert shape["loss"] == pytest.approx(1 - np.tanh(shape["x"]), abs=1e-5)
    with np.load(next(smoke.folder.glob("blobs-*/shape.npz"))) as shape:
        assert shape["loss"] == pytest.approx(np.log1p(2 * np.exp(-shape["x"])), abs=1e-5)


def test_a_sweep_with_an_equals_sign_in_its_name_is_a_sweep(smoke: Sweep, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "multirun" / "smoke-epochs=5"
    shutil.copytree(smoke.folder, folder)
    (folder / "plan.json").write_text(json.dumps(smoke.plan | {"name": folder.name}))
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="unknown sweep"):
        report_command(["smoke-epochs"])
    assert report_command(["smoke-epochs=5", "report.margin=0.01"]) == 0
    assert "report: " in capsys.readouterr().out
