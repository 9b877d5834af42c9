"""Runs' networks in MLflow: each kept once as a model, found from its run and from its cell's."""

import re
import tempfile
from pathlib import Path

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.models import Model

from lossbench.advice import judged_by
from lossbench.experiment import Experiment, milliseconds, params
from lossbench.plan import Cell
from lossbench.results import Run as Result
from lossbench.saved.packing import NoModelError, read_contents, write_model

NOTE = """\
The network of seed {seed} of {cell}, with its preprocessing: it takes {what}, and answers in the target's own unit, \
or with the names of classes.

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{model_id}")
model.predict(rows)  # {rows}
```

Of the cell's working seeds it is the one in the middle by {metric}. `lossbench-export model {sweep} {cell}` writes \
the same as a folder.
"""
# The tag of a run whose network was kept: the model's id, also when the user has deleted the model.
KEPT = "model_id"


def keep_model(experiment: Experiment, cell: Cell, run: Result, recorded: Run, cell_run_id: str) -> None:
    """Write a run's network to MLflow, unless that was done; where it cannot be, its cell's run says why."""
    run_id = recorded.info.run_id
    if recorded.info.lifecycle_stage == "deleted" or KEPT in experiment.client.get_run(run_id).data.tags:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model = _begun(experiment, cell, run, run_id)
        try:
            write_model(run, path, Model(run_id=run_id, model_id=model.model_id, model_uuid=model.model_id))
        except NoModelError as error:
            experiment.client.delete_logged_model(model.model_id)
            experiment.client.set_tag(cell_run_id, "no_model", str(error))
            return
        experiment.client.log_model_artifacts(model.model_id, str(path))
    _describe(experiment, cell, run, run_id, model.model_id)
    for owner in (run_id, cell_run_id):
        experiment.client.log_outputs(owner, [LoggedModelOutput(model.model_id, step=0)])
    experiment.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    experiment.client.set_tag(run_id, KEPT, model.model_id)


def _begun(experiment: Experiment, cell: Cell, run: Result, run_id: str) -> LoggedModel:
    """Return the model of a run: one that an interrupted start left, or a new one."""
    condition = f"source_run_id = '{run_id}'"
    for model in experiment.client.search_logged_models([experiment.experiment_id], condition):
        return model
    name = re.sub(r"[/:.%\"']+", "-", cell.name)
    tags = experiment.tags(cell, "model") | experiment.source()
    chosen = params(cell, run.info.tuned) | {"seed": str(run.info.seed)}
    return experiment.client.create_logged_model(experiment.experiment_id, name, run_id, tags, chosen)


def _describe(experiment: Experiment, cell: Cell, run: Result, run_id: str, model_id: str) -> None:
    """Say how a model is used, and give it the final metrics of its run, which stay the run's too."""
    inputs = read_contents(run)["inputs"]
    columns = None if inputs["names"] is None else [*inputs["names"], *inputs["texts"]]
    note = NOTE.format(
        seed=run.info.seed,
        cell=cell.name,
        sweep=experiment.plan.name,
        what="rows as they are in the file" if columns else "features as the data set gives them",
        model_id=model_id,
        rows="a DataFrame with the columns of the signature" if columns else f"shape (n, {inputs['n_features']})",
        metric=judged_by(run, cell),
    )
    experiment.client.set_logged_model_tags(model_id, {"mlflow.note.content": note})
    moment = milliseconds(run.info.ended)
    scores = {f"final/{name}": value for name, value in run.info.scores.items()}
    metrics = [Metric(name, value, moment, 0, model_id=model_id) for name, value in scores.items()]
    experiment.client.log_batch(run_id, metrics)
