"""The description of a sweep's MLflow experiment: its content, where to look, and links to its saved views."""

from mlflow.entities import Experiment as Recorded

from lossbench.planning.plan import Plan
from lossbench.tracking.newest_sweep import address_of
from lossbench.tracking.saved_views import CHARTS, views

EXPERIMENT_NOTE = """\
{answers}{n_cells} cells, {n_runs} runs: {links}

`{command}`

What is here (tag `kind`):

- `kind=cell`, one run for each combination of data set, loss and head. `final/test/…` is the mean over seeds, with \
`_median`, `_std`, and `_low` and `_high` of the 95 % t interval; its curves are the mean, low and high over seeds. \
`runs`, `diverged`, `stuck` count its runs.
- `kind=run`, nested in its cell: one training, one seed, its curves.
- `kind=sweep`: the whole sweep. Its description has the tables; its artifacts have `results.csv` and a figure for \
each data set with seed bands, which the chart page cannot draw.

Where to look:

- *Which loss is best on a data set?* Search `tags.kind = 'cell' and params.dataset = 'circles'`, and sort by \
`final/test/accuracy` (classes) or `final/test/rmse` (numbers; lower is better).
- *Compare curves:* the chart page with that search; `test/accuracy` is the mean, `test/accuracy_low` and `_high` \
its interval.
{models}- *Which seed failed, diverged or is stuck?* Search `tags.status = 'diverged'`, `tags.status = 'failed'` or \
`tags.stuck = 'true'`.
"""
MODELS_NOTE = {
    "none": "",
    "best": """\
- *Use a trained network:* the page Models has that of the best cell of each data set, with its preprocessing \
(tag `current = true`); `tracking.models=all` keeps one for each cell.
""",
    "all": """\
- *Use a trained network:* the page Models has one of each cell, with its preprocessing (tag `current = true`).
""",
}


def description(plan: Plan, experiment: Recorded, answers: str = "") -> dict[str, str]:
    """Return an experiment's tags: its description, beginning with the answers if there are any, and its saved views.

    The UI lists the newest view first, so each view is dated a little before the one that stands above it.
    """
    links = _links(plan, experiment.experiment_id)
    models = MODELS_NOTE[plan.tracking.models]
    note = EXPERIMENT_NOTE.format(
        answers=f"{answers}\n\n" if answers else "",
        n_cells=len(plan.cells),
        n_runs=plan.n_runs,
        command=plan.command,
        links=links,
        models=models,
    )
    shown = {view.tag: view.content(experiment.creation_time - i) for i, view in enumerate(views(plan))}
    return {"mlflow.note.content": note} | shown


def _links(plan: Plan, experiment_id: str) -> str:
    """Return links to the views of a sweep in Markdown; without a host, so that they work on any server."""
    parts = []
    for view in views(plan):
        link = address_of(view, experiment_id).removeprefix("/")
        parts.append(f"[{view.name}]({link})" + (f" ([curves]({link}&{CHARTS}))" if view.charts else ""))
    return " · ".join(parts)
