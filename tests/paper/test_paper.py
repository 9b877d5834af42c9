"""What a paper takes from a sweep: texts are well formed whatever names users chose, and say what the report says."""

import csv
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from support import latex as tex
from support.commands import run
from support.plans import plan as planned
from support.results import NOISE, cell, cell_results, sweep

from lossbench.datasets.catalogue import DATASETS
from lossbench.losses.choice import CUSTOM
from lossbench.losses.pairing import LOSSES
from lossbench.paper.markup import MARKUPS, cited, code, written
from lossbench.paper.methods import methods
from lossbench.paper.references import bibtex, references_in
from lossbench.paper.table import csv_text, latex, markdown, paper_tables
from lossbench.results.cells import CellResults

NASTY = r"50% of_my {data} & #1 $x^2$ ~\input{evil} <b>|*"


def three() -> list[CellResults]:
    """Two losses that cannot be told apart and one that is worse, with a stuck, a diverged and a missing run."""
    names = ("binary_crossentropy", "hinge", "squared_hinge")
    base, close, far = (cell(name, head="sigmoid" if name[0] == "b" else "tanh") for name in names)
    dead = np.where(np.arange(30) == 4, np.nan, 0.899 + NOISE[::-1])
    return [cell_results(base, 0.9 + NOISE), cell_results(close, dead, stuck={7}), cell_results(far, 0.7 + NOISE)]


@pytest.fixture
def found():
    results = three()
    return sweep(*results), results


def test_the_best_loss_and_its_ties_are_bold_and_no_other(found):
    plan, results = found
    rows = latex(plan, paper_tables(plan, results)).splitlines()
    bold = {row.split(" & ")[0].strip() for row in rows if "\\textbf" in row}
    assert bold == {"\\textbf{binary\\_crossentropy}", "\\textbf{hinge}\\textsuperscript{a,b}"}
    assert sum("\\textbf{0.9" in row or "\\textbf{0.89" in row for row in rows) == 2


def test_dead_runs_have_footnotes_and_are_not_counted_in_n(found):
    plan, results = found
    text = latex(plan, paper_tables(plan, results))
    tex.check(text)
    assert "\\textsuperscript{a} hinge: 1 of 30 diverged (seed 4; a rate of" in text
    assert "\\textsuperscript{b} hinge: 1 of 30 stuck (seed 7; a rate of" in text
    assert re.search(r"hinge\}\\textsuperscript\{a,b\} & tanh & \\textbf\{0\.\d+ \$\\pm\$ 0\.\d+\} & 28 &", text)


def test_missing_runs_have_a_footnote_and_nothing_is_compared():
    results = three()
    results[2] = cell_results(results[2].cell, 0.7 + NOISE, missing={1, 2})
    plan = sweep(*results)
    text = markdown(paper_tables(plan, results))
    assert "hinge: 2 of 30 runs missing." in text
    assert "Nothing is compared: 2 of 90 runs are missing or failed." in text
    assert "**" not in text


def test_a_caption_names_the_design_and_the_population(found):
    plan, results = found
    text = latex(plan, paper_tables(plan, results))
    assert (
        "30 seeds, which fix initial weights, batch order and noise; all have the same training and test rows" in text
    )
    assert "about more seeds on these training and test rows" in text


def test_a_table_as_csv_holds_the_numbers(found):
    plan, results = found
    tables = paper_tables(plan, results)
    rows = list(csv.DictReader(io.StringIO(csv_text(tables))))
    assert [float(row["mean"]) for row in rows] == pytest.approx([s.interval.mean for s in tables[0].table.samples])
    assert [row["best_group"] for row in rows] == ["true", "true", "false"]
    assert [row["n_working"] for row in rows] == ["30", "28", "30"]


@pytest.mark.parametrize("name", MARKUPS)
def test_names_of_any_characters_are_shown_as_they_are(name):
    results = three()
    results = [CellResults(replace(r.cell, dataset=NASTY), r.runs) for r in results]
    plan = replace(sweep(*results), command=f"lossbench dataset.path='{NASTY}'")
    found = paper_tables(plan, results)
    texts = [methods(plan, results, MARKUPS[name]), latex(plan, found) if name == "latex" else markdown(found)]
    for text in texts:
        if name == "latex":
            tex.check(text)
            assert "\\input" not in text
        else:
            assert "<b>" not in text.replace("\\<", "")
            rows = [line for line in text.splitlines() if line.startswith("|")]
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_marked_names_and_citations_are_written_in_both_languages():
    text = f"by {code('a_b')}{cited(['x1', 'y2'])}, 5 %"
    assert written(MARKUPS["latex"], text) == "by \\texttt{a\\_b}~\\cite{x1,y2}, 5 \\%"
    assert written(MARKUPS["markdown"], text) == "by a\\_b [@x1; @y2], 5 %"


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != CUSTOM])
def test_the_source_of_every_loss_is_read(loss):
    for reference in references_in(LOSSES[loss].source):
        assert reference.place, reference
        assert re.fullmatch(r"[a-z]+\d{4}[a-z0-9]+", reference.key)
        # Nothing of the source is lost but remarks after a semicolon.
        assert f"{reference.authors} ({reference.year}), {reference.title}, {reference.place}" in LOSSES[loss].source
    assert references_in(LOSSES[loss].source)


def test_different_publications_have_different_keys():
    sources = [row.source for row in (*LOSSES.values(), *DATASETS.values())]
    found = {reference for source in sources for reference in references_in(source)}
    assert len({reference.key for reference in found}) == len(found)


SWEEPS = {
    "seeds": ["dataset=circles", "loss=bce,hinge", "seeds=12"],
    "folds and tuning": ["dataset=diabetes", "loss=mse,huber", "tune=learning_rate"],
    "samples": ["dataset=friedman1", "loss=mae", "repeat=samples", "seeds=12", "model=linear"],
    "several": [
        "dataset=circles,blobs",
        "loss=auto",
        "optimizer=adam,sgd",
        "schedule=cosine",
        *("early_stopping.patience=3", "dataset.split.train=0.4", "dataset.split.validation=0.1"),
    ],
    "corrupted sum": [
        *("dataset=moons", "loss=composite", "loss.terms={binary_crossentropy: 0.5, dice: 0.5}"),
        *("corruption=label_noise", "corruption.rate=0.2", "model.dropout=0.1"),
    ],
    "swept": ["dataset=circles", "loss=bce,hinge", "optimizer.learning_rate=0.01,0.1"],
    "images": ["dataset=digits", "model=cnn", "loss=cce,focal", "select=best", "dataset.split.validation=0.1"],
}


SAID = {
    "seeds": "Each loss was trained with 12 seeds (0 to 11) on the same rows.",
    "folds and tuning": "17 rates from 0.0001 to 1 were judged by rmse, for each fold by training rows that",
    "samples": "each with rows drawn anew, the same for all losses.",
    "several": "stopped after 3 epochs without a better main metric on the validation split",
    "corrupted sum": "The training rows were corrupted by label noise (rate 0.2).",
    "swept": "With optimizer.learning_rate=0.1, the learning rate was 0.1.",
    "images": "the weights of the best epoch on the validation split were kept.",
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_methods_text_says_what_the_settings_are_and_cites_what_the_bibliography_has(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    plan = planned("-m", *SWEEPS[name])
    results = [CellResults(each, []) for each in plan.cells]
    text, entries = methods(plan, results, MARKUPS["latex"]), bibtex(plan)
    assert SAID[name] in methods(plan, results, MARKUPS["markdown"]).replace("\\", "")
    assert text.count("\n") == 1
    assert ".." not in text
    tex.check(text)
    tex.check(re.sub(r"(doi|url|eprint) = \{[^}]*\}|@misc\{\w+,|^\}$", "", entries, flags=re.MULTILINE))
    keys = re.findall(r"@misc\{(\w+),", entries)
    assert len(keys) == len(set(keys))
    assert {key for found in re.findall(r"\\cite\{([^}]*)\}", text) for key in found.split(",")} <= set(keys)


# ---- The command.


def test_the_command_writes_what_a_paper_needs(smoke, tmp_path):
    def exported(*arguments: str) -> str:
        done = run(tmp_path, *arguments, command="lossbench-export", LOSSBENCH_HOME=str(smoke.home))
        assert done.status == 0, done.err
        return done.out

    assert "written: smoke-table.tex" in exported("table", "smoke")
    assert "written: smoke-methods.tex" in exported("methods", "smoke")
    assert "written: smoke.bib" in exported("bibtex", "smoke")
    assert "in smoke-figures" in exported("figure", "smoke", "runs", "curves", "--width", "3.25")
    captions = list((tmp_path / "smoke-figures").glob("*.tex"))
    for path in (tmp_path / "smoke-table.tex", tmp_path / "smoke-methods.tex", *captions):
        tex.check(path.read_text())
    drawn = {f"smoke-figures/{path.stem}" for path in (tmp_path / "smoke-figures").glob("*.pdf")}
    assert drawn == set(re.findall(r"\\includegraphics\{([^}]*)\}", "".join(path.read_text() for path in captions)))
    for path in (tmp_path / "smoke-figures").glob("*.pdf"):
        content = path.read_bytes()
        assert re.search(rb"/MediaBox \[ 0 0 234 ", content), path
        assert b"/Type3" not in content
    assert "smoke-figures" in exported("figure", "smoke", "runs", "--format", "svg")
    for path in (tmp_path / "smoke-figures").glob("*.svg"):
        assert ElementTree.fromstring(path.read_bytes()).get("width") == "244.8pt"


def test_an_unknown_figure_is_an_error_that_names_the_nearest(smoke, tmp_path):
    done = run(tmp_path, "figure", "smoke", "curvs", command="lossbench-export", LOSSBENCH_HOME=str(smoke.home))
    assert done.status == 2
    assert done.err == "error: unknown figure 'curvs'.\n  hint: did you mean 'curves'?\n"
    done = run(
        tmp_path, "figure", "smoke", "--width", "0.5", command="lossbench-export", LOSSBENCH_HOME=str(smoke.home)
    )
    assert done.status == 2
    assert "--width must be from 2 to 10 inches; got 0.5." in done.err
