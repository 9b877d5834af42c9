"""Models in MLflow: the networks of chosen runs, each written once and linked from its run and its cell's run."""

import re
import shlex
import tempfile
from pathlib import Path
from textwrap import shorten
from typing import Any

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.models import Model

from lossbench.export.saved_model.packing import write_model
from lossbench.export.saved_model.reading import NoModelError, read_contents
from lossbench.findings.recommendation import judged_by
from lossbench.planning.plan import Cell
from lossbench.results.part_files import Run as Result
from lossbench.tracking.experiment import Experiment, params
from lossbench.tracking.finished_run import milliseconds

NOTE = """\
The network of seed {seed} of {cell}, with its preprocessing: it takes {what}, and answers in the target's own unit, \
or with the names of classes.

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{model_id}")
model.predict(rows)  # {rows}
```

{chosen} The same as a folder: `lossbench-export model {sweep} {named}`
"""
CHOSEN_RUN = (
    "When it was kept, its run had the median {metric} of the cell's working runs; the tag `current` says whether it "
    "still has."
)
ON_ALL_ROWS = (
    "It was trained on all rows; for new ones expect the means of its cell's runs. The tag `current` says whether its "
    "cell is still the chosen one."
)
# The tag of a run with the id of its model. It stays when the user deletes the model, which is then not made again.
KEPT = "model_id"
# The tag of a model that says whether its run is still the one that is chosen from the cell's runs.
CURRENT = "current"


def keep_models(experiment: Experiment, chosen: list[tuple[Cell, Result, Run, Run]]) -> None:
    """Write the networks of chosen runs to MLflow as models, and link them from their runs and their cells' runs.

    A model that is there already is not written again; a model that is no longer chosen gets ``current=false``.

    Parameters
    ----------
    chosen : list of (cell, run, its MLflow run, its cell's MLflow run)
        The runs whose networks are kept.
    """
    models = {model.model_id: model for model in _there(experiment)}
    current = set()
    for cell, run, recorded, cell_run in chosen:
        if recorded.info.lifecycle_stage == "deleted":
            continue
        model_id = recorded.data.tags.get(KEPT) or _keep(experiment, models, cell, run, recorded, cell_run)
        current.add(model_id)
        if model_id in models:
            _link(experiment, model_id, recorded, cell_run)
    for model_id, model in models.items():
        is_current = str(model_id in current).lower()
        if model.tags.get(CURRENT) != is_current:
            experiment.client.set_logged_model_tags(model_id, {CURRENT: is_current})


def _there(experiment: Experiment) -> list[LoggedModel]:
    """Return the experiment's models; MLflow leaves out those that the user deleted."""
    found: list[LoggedModel] = []
    token = None
    while token is None or token:
        page = experiment.client.search_logged_models([experiment.experiment_id], page_token=token)
        found += page
        token = page.token or ""
    return found


def _keep(
    experiment: Experiment, models: dict[str, LoggedModel], cell: Cell, run: Result, recorded: Run, cell_run: Run
) -> str:
    """Write a run's network and return its model's id; '' if no model can be made, with the reason in a tag.

    The run's tag is set last, so after a kill in between the next start finds no tag, finds the unfinished model by its
    run, and completes it.
    """
    client, run_id = experiment.client, recorded.info.run_id
    try:
        contents = read_contents(run.path.parents[1])
    except NoModelError as error:
        if cell_run.info.lifecycle_stage != "deleted":
            client.set_tag(cell_run.info.run_id, "no_model", str(error))
        return ""
    # A start that was killed may have left an unfinished model of this run.
    model = next((m for m in models.values() if m.source_run_id == run_id), None) or _new(experiment, cell, run, run_id)
    models[model.model_id] = model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        write_model(run, path, Model(run_id=run_id, model_id=model.model_id, model_uuid=model.model_id))
        client.log_model_artifacts(model.model_id, str(path))
    _describe(experiment, cell, run, contents["inputs"], run_id, model.model_id)
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.set_tag(run_id, KEPT, model.model_id)
    return model.model_id


def _new(experiment: Experiment, cell: Cell, run: Result, run_id: str) -> LoggedModel:
    name = re.sub(r"[/:.%\"']+", "-", cell.name)
    tags = experiment.tags(cell, "model") | experiment.source()
    chosen = params(cell, run.info.tuned) | {"seed": str(run.info.seed)}
    return experiment.client.create_logged_model(experiment.experiment_id, name, run_id, tags, chosen)


def _link(experiment: Experiment, model_id: str, *owners: Run) -> None:
    """Set a model as the output of runs, except of those that have it already or were deleted."""
    for owner in owners:
        outputs = experiment.client.get_run(owner.info.run_id).outputs
        linked = {output.model_id for output in outputs.model_outputs} if outputs else set()
        if model_id not in linked and owner.info.lifecycle_stage != "deleted":
            experiment.client.log_outputs(owner.info.run_id, [LoggedModelOutput(model_id, step=0)])


def _describe(
    experiment: Experiment, cell: Cell, run: Result, inputs: dict[str, Any], run_id: str, model_id: str
) -> None:
    """Write a model's description with an example of its use, and the final metrics of its run as its own."""
    columns = None if inputs["names"] is None else [*inputs["names"], *inputs["texts"]]
    chosen = CHOSEN_RUN.format(metric=judged_by(run, cell)) if cell.settings.folds is None else ON_ALL_ROWS
    note = NOTE.format(
        seed=run.info.seed,
        cell=cell.name,
        sweep=experiment.plan.name,
        named=shlex.quote(cell.name),
        what="rows as they are in the file" if columns else "features as the data set gives them",
        model_id=model_id,
        rows=f"a DataFrame with the columns {shorten(', '.join(columns), 2000)}"
        if columns
        else f"shape (n, {inputs['n_features']})",
        chosen=chosen,
    )
    experiment.client.set_logged_model_tags(model_id, {"mlflow.note.content": note})
    moment = milliseconds(run.info.ended)
    scores = {f"final/{name}": value for name, value in run.info.scores.items()}
    metrics = [Metric(name, value, moment, 0, model_id=model_id) for name, value in scores.items()]
    experiment.client.log_batch(run_id, metrics)
