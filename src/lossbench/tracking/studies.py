"""Writes studies to MLflow: an experiment ``<sweep>-tuning`` with a run for each study and, nested, each trial."""

from mlflow.entities import Metric, Run

from lossbench.config.search_space import LEARNING_RATE
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell, Plan
from lossbench.tracking.experiment import Experiment, params
from lossbench.tracking.figures import study_figure
from lossbench.tracking.finished_run import FinishedRun, milliseconds
from lossbench.tuning.study_files import FINISHED, Outcome, Trial, study_metric, trials_table, value_name

NOTE = """\
The studies of [{sweep}](#/experiments): how the learning rate of each of its tuned cells was chosen.

- `kind=study`, one run for each tuned cell: `best/learning_rate` (the chosen one) and its value, `tolerance_low` and \
`_high` (the learning rates around it that do as well), a figure of metric over learning rate, the table of trials. \
The tag `kept` says if it is the configured one, `edge` if it lies at an end of the range.
- `kind=trial`, nested in it: one proposal, trained once for each fold of the training rows and judged on the fold \
that was left out. Its value is the mean over folds; a training that diverged or got stuck counts as the best constant \
prediction. The tag `reason` says why trainings did not work.

No trial has seen the test split.
"""


class StudyTracker(Experiment):
    """The MLflow experiment of one sweep's studies."""

    def __init__(self, plan: Plan, uri: str):
        super().__init__(plan, f"{plan.name}-tuning", uri)
        self.describe({"mlflow.note.content": NOTE.format(sweep=plan.name)})
        self._studies = {run.data.tags["cell_key"]: run for run in self.find("study", "cell_key") if _is_current(run)}
        self._trials = {run.data.tags["trial_key"]: run for run in reversed(self.find("trial", "trial_key"))}

    def add_trials(self, cell: Cell, trials: list[Trial]) -> None:
        """Write trials, nested in their study's run, except those that are there or that the user deleted."""
        new = []
        for trial in trials:
            study = self._study(cell, trial)
            recorded = self._trials.get(_key(cell, trial))
            if recorded is not None and recorded.data.tags.get("started") != f"{trial.started:.3f}":
                # The trial was trained again: replace its MLflow run.
                self.delete(recorded)
                recorded = None
            if study.info.lifecycle_stage == "deleted":
                continue
            if recorded is None:
                new.append(trial)
            elif recorded.info.lifecycle_stage != "deleted" and recorded.info.status in ("RUNNING", "KILLED"):
                self.complete(recorded.info.run_id, self._finished(cell, trial))
        made = self.add([self._finished(cell, trial) for trial in new])
        self._trials |= {_key(cell, trial): run for trial, run in zip(new, made, strict=True)}

    def _finished(self, cell: Cell, trial: Trial) -> FinishedRun:
        tags = self.tags(cell, "trial") | {
            "mlflow.parentRunId": self._studies[cell.key].info.run_id,
            "trial_key": _key(cell, trial),
            "trial": str(trial.number),
            "status": trial.status,
            "started": f"{trial.started:.3f}",
        }
        if trial.reason:
            tags["reason"] = trial.reason[:5000]
        moment, name = milliseconds(trial.ended), f"validation/{study_metric(cell)}"
        values = {"learning_rate": trial.learning_rate, name: trial.value}
        values |= {f"{name}/{value_name(each)}": value for each, value in trial.values.items()}
        return FinishedRun(
            name=f"{cell.name}/trial={trial.number}",
            tags=tags,
            params={key: str(value) for key, value in trial.parameters.items()},
            metrics=[Metric(key, value, moment, trial.number) for key, value in values.items() if value is not None],
            status="FINISHED" if trial.status == FINISHED else "FAILED",
            started=trial.started,
            ended=trial.ended,
        )

    def add_study(self, cell: Cell, outcome: Outcome, trials: list[Trial]) -> None:
        """Write the outcome of a study with its figure and table, once all its trials are written."""
        study = self._study(cell, trials[0])
        run_id, metric = study.info.run_id, f"validation/{outcome.metric}"
        if run_id not in self.open:
            return
        values = {"trials": float(outcome.n_trials), "trials_failed": float(outcome.n_failed)}
        if outcome.value is not None:
            values |= {"best/learning_rate": outcome.learning_rate, f"best/{metric}": outcome.value}
            values |= dict(zip(("tolerance_low", "tolerance_high"), outcome.tolerance, strict=True))
        moment = milliseconds(outcome.ended)
        best = {f"best/{key}": str(value) for key, value in outcome.parameters.items()}
        self.log(run_id, [Metric(name, value, moment, 0) for name, value in values.items()], params(cell) | best)
        figure = study_figure(cell.name, trials, outcome, lower_is_better=lower_is_better(outcome.metric))
        self.client.log_figure(run_id, figure, "learning-rates.png")
        self.client.log_text(run_id, trials_table(trials).to_csv(index=False), "trials.csv")
        self.client.set_tag(run_id, "edge", outcome.edge or "none")
        self.client.set_tag(run_id, "kept", str(outcome.kept).lower())
        self.client.set_tag(run_id, "mlflow.note.content", _note(outcome))
        self.terminate(run_id, "FINISHED" if outcome.parameters else "FAILED", outcome.ended)

    def link(self, cell: Cell) -> str:
        """Return a link to a cell's study in Markdown; '' if MLflow has no such study."""
        study = self._studies.get(cell.key)
        return f"[its study](#/experiments/{self.experiment_id}/runs/{study.info.run_id})" if study else ""

    def _study(self, cell: Cell, trial: Trial) -> Run:
        """Return the MLflow run of a cell's study, which is created if there is none."""
        found = self._studies.get(cell.key)
        if found is not None and trial.number == 0 and found.data.tags["started"] != f"{trial.started:.3f}":
            # The study was run again (its first trial is newer): replace its MLflow run.
            self.replace(found)
            found = None
        if found is None:
            tags = self.tags(cell, "study") | {"cell_key": cell.key, "started": f"{trial.started:.3f}"}
            found = self.create(cell.name, tags | self.source(), trial.started)
            self._studies[cell.key] = found
        elif found.info.status == "KILLED" and found.info.lifecycle_stage != "deleted":
            self.reopen(found)
        return found


def _key(cell: Cell, trial: Trial) -> str:
    return f"{cell.key[:16]}-{trial.number}"


def _is_current(run: Run) -> bool:
    return run.data.tags.get("replaced") != "true"


def _note(outcome: Outcome) -> str:
    if outcome.problem:
        return f"{outcome.problem.capitalize()}."
    # Without a value no trial worked, and the configured rate was kept.
    value = "" if outcome.value is None else f", validation {outcome.metric} {outcome.value:.4g}"
    best = f"learning rate {outcome.learning_rate:.3g}{value}"
    low, high = outcome.tolerance
    how = "Kept, because nothing tried was clearly better" if outcome.kept else f"Chosen from {outcome.n_trials} trials"
    found = f"{how}: {best}. Rates {low:.3g} to {high:.3g} are {outcome.as_good}."
    others = ", ".join(f"{key}={value}" for key, value in outcome.parameters.items() if key != LEARNING_RATE)
    lines = [found, f"With {others}." if others else "", outcome.warning.capitalize()]
    return "\n\n".join(line for line in lines if line)
