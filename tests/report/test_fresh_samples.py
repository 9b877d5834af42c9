"""A report of one split says whether its verdicts hold over fresh samples, or names the command that tells."""

import shlex

from support.commands import run

SWEEP = ("-m", "dataset=circles", "loss=bce,hinge", "epochs=30", "seeds=8", "name=x", "tracking.enabled=false")


def line_of(home) -> str:
    text = (home / "multirun" / "x" / "report.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "over fresh samples" in line]
    return line


def test_the_command_that_the_report_names_tells_whether_its_verdicts_hold(tmp_path):
    assert run(tmp_path, *SWEEP).status == 0
    words = shlex.split(line_of(tmp_path).partition("rows: ")[2])
    assert words[0] == "lossbench"
    done = run(tmp_path, *words[1:])
    assert done.status == 0, done.err
    assert "x-samples: 2 cells, 16 runs, 0 finished" in done.out
    assert run(tmp_path, *SWEEP).status == 0
    assert line_of(tmp_path).startswith("over fresh samples, training and test rows (x-samples): hinge ")


def test_data_that_cannot_be_drawn_again_have_no_such_line(tmp_path):
    assert run(tmp_path, *SWEEP[:1], "dataset=iris", "loss=cce,mse", *SWEEP[3:], "repeat=seeds").status == 0
    text = (tmp_path / "multirun" / "x" / "report.md").read_text(encoding="utf-8")
    assert "fresh samples" not in text
