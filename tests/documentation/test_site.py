"""The documentation as pages, built as `make docs` builds it."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.browser import Browser
from support.commands import BIN

from lossbench.config.settings import GROUPS_OF_A_CELL
from lossbench.losses.pairing import LOSSES
from lossbench.planning.command_line import choices_of
from lossbench.planning.settings_reference import settings_of, settings_outside_groups

pytestmark = pytest.mark.slow
# Losses that say something of a batch and nothing of a sample, and those that are no losses of their own.
WITHOUT_DRAWING = {name for name, loss in LOSSES.items() if loss.whole_batch}
CARDS = [name for name, loss in LOSSES.items() if loss.heads]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [BIN / "mkdocs", "build", "--quiet", "--site-dir", folder]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    # A warning fails the build; with --quiet nothing else is printed.
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def pages(site: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def links(text: str) -> Iterator[str]:
    return (unescape(target) for target in re.findall(r'(?:href|src)="([^"]*)"', text))


def test_every_link_leads_to_a_file_and_a_heading_of_the_site(site):
    texts = pages(site)
    places = {path: set(re.findall(r'id="([^"]*)"', text)) for path, text in texts.items()}
    wrong = []
    for path, text in texts.items():
        for target in links(text):
            if target.startswith(("http", "data:", "mailto:")) or target in ("", "#", "."):
                continue
            name, _, heading = target.partition("#")
            linked = Path(os.path.normpath(path.parent / unquote(name))) if name else path
            if not linked.exists() or (heading and unquote(heading) not in places[linked]):
                wrong.append((str(path.relative_to(site)), target))
    assert len(texts) > 60
    assert not wrong


def test_pages_take_nothing_from_elsewhere(site):
    for path, text in pages(site).items():
        taken = re.findall(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(https?:[^"]*)"', text)
        assert not taken, path


def test_every_loss_has_a_card_with_its_shape_formula_source_and_settings(site):
    for name in CARDS:
        text = (site / "losses" / f"{name}.html").read_text()
        shown = unescape(re.sub(r"<[^>]+>", "", text.split("<article")[1]))
        loss = LOSSES[name]
        for each in (loss.meaning, loss.formula, loss.source):
            assert " ".join(each.split()) in " ".join(shown.split()), (name, each)
        assert all(setting.key in shown for setting in settings_of("loss", name))
        assert (text.count("<svg ") >= 2 and 'class="drawing"' in text) != (name in WITHOUT_DRAWING), name


def test_every_key_stands_in_the_configuration_reference(site):
    shown = unescape(re.sub(r"<[^>]+>", "", (site / "configuration.html").read_text()))
    settings = settings_outside_groups()
    for group in GROUPS_OF_A_CELL:
        if group != "loss":
            settings += [setting for choice in choices_of(group) for setting in settings_of(group, choice)]
    assert not [s.key for s in settings if s.key not in shown or s.meaning.split(";")[0] not in shown]


def test_the_site_opens_and_is_searched_from_files_without_asking_the_network(site):
    with Browser() as browser:
        browser.open((site / "index.html").absolute())
        browser.run("document.querySelector('[name=query]').focus()")
        browser.ask("Input.insertText", text="pinball")
        deadline = time.monotonic() + 60
        found = ""
        while "losses/pinball.html" not in found:
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
            found = browser.run("[...document.querySelectorAll('.md-search-result__link')].map(a => a.href).join()")
        browser.open((site / "losses" / "huber.html").absolute(), width=390)
        # Nothing is wider than a telephone.
        assert browser.run("document.documentElement.scrollWidth") == 390
        assert not [url for url in browser.requests if not url.startswith(("file:", "data:"))]
        assert not browser.console
