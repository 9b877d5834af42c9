"""The notebook of the documentation: as a file, and run from its first cell to its last."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import environment

NOTEBOOK = Path("docs/how-to/notebook.ipynb")
CELLS = json.loads(NOTEBOOK.read_text())["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
# As a notebook does it: one cell after the other, each shows its last expression.
RUN = """
import ast, json, sys

names = {}
for place, text in enumerate(json.loads(sys.stdin.read())):
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, f"cell {place}", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), f"cell {place}", "eval"), names)
        if value is not None:
            print("shown:", len(value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)))
print("figures:", names["plt"].get_fignums())
"""


def test_it_is_a_notebook_without_outputs():
    content = json.loads(NOTEBOOK.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        assert cell["cell_type"] in ("code", "markdown")
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


@pytest.mark.slow
def test_it_runs_from_beginning_to_end(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", RUN],
        input=json.dumps(CODE),
        cwd=tmp_path,
        env=environment(tmp_path, MPLBACKEND="Agg"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "3 cells, 30 runs, 0 finished" in done.stdout
    sizes = [int(line.split()[1]) for line in lines if line.startswith("shown: ")]
    # The table, the sweep, three tables of it, a figure of the report, and predictions.
    assert len(sizes) == 7
    assert min(sizes) > 20
    assert lines[-1] == "figures: [1]"
    (said,) = [line for line in lines if " in the sweep" in line]
    here, there = (float(word) for word in said.replace(",", "").split() if word[0].isdigit())
    # Both are means over folds of the same rows.
    assert here == pytest.approx(there, rel=0.1)
