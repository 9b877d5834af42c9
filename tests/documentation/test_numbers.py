"""Figures that documents quote: those of benchmarks/measured.json, and counts of what there is to choose."""

import json
import re
from pathlib import Path

import pytest

from lossbench.datasets.catalogue import DATASETS
from lossbench.losses.heads import HEADS
from lossbench.losses.pairing import LOSSES

MEASURED = json.loads(Path("benchmarks/measured.json").read_text())

# Document; the sentence, with a group where the figure stands; its name in measured.json; how it is rounded.
QUOTATIONS = [
    ("README.md", r"270 runs in (\d+) s", "lossbench_seconds", ".0f"),
    ("README.md", r"Model\.fit`, MLflow autologging \| (\d+) s", "job_by_job_seconds", ".0f"),
    ("README.md", r"MLflow autologging \| \d+ s \| ([\d.]+) s", "job_by_job_seconds_per_run", ".1f"),
    ("README.md", r"one log call a run \| (\d+) s", "careful_loop_seconds", ".0f"),
    ("README.md", r"one log call a run \| \d+ s \| ([\d.]+) s", "careful_loop_seconds_per_run", ".1f"),
    ("README.md", r"\| lossbench \| (\d+) s", "lossbench_seconds", ".0f"),
    ("README.md", r"\| lossbench \| \d+ s \| ([\d.]+) s", "lossbench_seconds_per_run", ".3f"),
    ("README.md", r"studies of `make tune` \(([\d,]+) trainings\)", "study_trainings", ",.0f"),
    ("docs/design.md", r"60 s for its ([\d,]+) trainings", "study_trainings", ",.0f"),
    ("benchmarks/README.md", r"all ([\d,]+) trainings, tracked", "study_trainings", ",.0f"),
    ("README.md", r"KerasTuner takes (\d+) times", "keras_tuner_cpu_ratio", ".0f"),
    ("README.md", r"([\d.]+) times as long as a C loop", "training_ratio_to_c", ".2f"),
    ("docs/design.md", r"a training of the tutorial takes (\d+) ms", "training_milliseconds", ".0f"),
    ("docs/trainer.md", r"`Model\.fit` takes ([\d.]+) s", "careful_loop_seconds_per_run", ".1f"),
    ("docs/trainer.md", r"The compiled program takes (\d+) ms", "training_milliseconds", ".0f"),
    ("benchmarks/README.md", r"costs (\d+) ms of processor time", "one_more_seed_cpu_milliseconds", ".0f"),
    ("benchmarks/README.md", r"the training in it takes (\d+) ms", "training_milliseconds", ".0f"),
]


def quoted(document: str, sentence: str) -> str:
    """Return the figure that stands in a document, wherever its lines are broken."""
    text = re.sub(r"\s+", " ", Path(document).read_text())
    found = re.findall(sentence, text)
    assert len(found) == 1, f"{document}: {sentence!r} is there {len(found)} times; say here how the sentence reads"
    return found[0]


def test_documents_quote_the_measured_figures():
    wrong = []
    for document, sentence, name, rounding in QUOTATIONS:
        stands, measured = quoted(document, sentence), format(MEASURED["figures"][name], rounding)
        if stands != measured:
            wrong.append(f"{document}: {stands} stands where {name} is {measured} ({sentence})")
    assert not wrong, "\n".join(wrong)


def test_every_measured_figure_is_quoted():
    assert {name for _, _, name, _ in QUOTATIONS} == set(MEASURED["figures"])


def test_the_benchmarks_page_shows_what_the_run_printed():
    text = Path("benchmarks/README.md").read_text()
    assert "```text\n" + "\n".join(MEASURED["printed"]) + "\n```" in text
    assert f"`{MEASURED['command']}`" in text


def test_only_the_readme_and_make_say_how_long_installation_takes_and_they_agree():
    claimed = {}
    for path in [Path("README.md"), Path("Makefile"), *Path("docs").rglob("*.md")]:
        found = re.findall(r"about [\w ]+ minutes?", " ".join(path.read_text().split()))
        claimed |= {path.name: found} if found else {}
    assert claimed == {"README.md": ["about two minutes"], "Makefile": ["about two minutes"]}


def test_the_readme_counts_what_there_is_to_choose():
    # Data of the user's own, a weighted sum and a function of the user's are named beside the counts.
    counts = (len(LOSSES) - 2, len(HEADS), sum(not info.is_own for info in DATASETS.values()))
    assert "{} losses, {} heads and {} data sets".format(*counts) in Path("README.md").read_text()


@pytest.fixture
def record(monkeypatch, tmp_path):
    """Return benchmarks/record.py, and write it a page to replace tables in."""
    monkeypatch.syspath_prepend("benchmarks")
    import record

    (tmp_path / "README.md").write_text("before\n```text\n2026-11-20, an old run\n```\nafter\n")
    return record


def test_a_whole_run_is_recorded_and_a_partial_one_is_not(record, tmp_path):
    way = {"included": 54.0, "apart": 27.0, "cpu": 30.0, "one_more_seed_cpu": 0.05}
    cell = {"cpu_milliseconds": {"ours": 12.0, "c": 10.0}}
    studies = {"n_trainings": 1530, "ours": {"cpu_seconds": 2.0}, "keras_tuner": {"cpu_seconds": 90.0}}
    results = {"a": way, "b": way, "c": way, "d": {"cells": [cell] * 9}, "e": studies}
    for lacking in ({"e": {"skipped": "no KerasTuner"}}, {"a": None}):
        with pytest.raises(record.PartialRunError, match=f"lacks part {next(iter(lacking))}"):
            record.record(results | lacking, "2026-12-24, new", "make bench", tmp_path)
    assert not (tmp_path / "measured.json").exists()
    record.record(results, "2026-12-24, a new run", "make bench", tmp_path)
    written = json.loads((tmp_path / "measured.json").read_text())
    assert set(written["figures"]) == set(MEASURED["figures"])
    assert written["figures"]["lossbench_seconds_per_run"] == 27.0 / 270
    assert written["figures"]["training_ratio_to_c"] == 12.0 / 10.0
    assert written["figures"]["keras_tuner_cpu_ratio"] == 90.0 / 2.0
    assert (tmp_path / "README.md").read_text() == "before\n```text\n2026-12-24, a new run\n```\nafter\n"
