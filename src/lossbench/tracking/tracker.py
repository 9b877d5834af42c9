"""Writes a sweep's results to MLflow; writing the same results again changes nothing.

A sweep has an experiment with one MLflow run for the sweep, one for each cell and, nested in it, one for each seed. An
MLflow run is found again by its tags, and all times come from the results.
"""

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote, urlencode

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Run

from lossbench.console.text_tables import mean_and_interval
from lossbench.datasets.catalogue import DATASETS
from lossbench.ground.files import shortened
from lossbench.ground.run_ids import RunId
from lossbench.metrics.catalogue import lower_is_better
from lossbench.planning.plan import Cell, Plan
from lossbench.report.freshness import FIGURES, PAGE, SUMMARY, TABLE
from lossbench.results.causes import cause
from lossbench.results.cells import CellResults
from lossbench.results.part_files import FAILED
from lossbench.results.part_files import Run as Result
from lossbench.results.table import results_table
from lossbench.tracking.aggregates import aggregates, counts
from lossbench.tracking.curves import cell_curves, run_curves
from lossbench.tracking.experiment import Experiment, params
from lossbench.tracking.figures import COLOURS, MOST_DRAWN, MOST_TOGETHER, cell_figure, dataset_figure
from lossbench.tracking.finished_run import FinishedRun, milliseconds
from lossbench.tracking.models import keep_models
from lossbench.tracking.notes import description
from lossbench.tracking.saved_views import TRAINING, quoted
from lossbench.tracking.studies import StudyTracker
from lossbench.tuning.study_files import read_outcome


class Tracker(Experiment):
    """The MLflow experiment of one sweep."""

    def __init__(self, plan: Plan, uri: str):
        super().__init__(plan, plan.name, uri)
        self.describe(description(plan, self.experiment))
        # Of a cell there may be two, while runs of it are trained again.
        found = {"sweep": self.find("sweep", "sweep"), "cell": self.find("cell"), "run": self.find("run", "run_key")}
        # Of a run that was trained again the latest counts, which comes last here.
        found["run"] += self.find("all_rows", "run_key")
        self._seed_runs = {run.data.tags["run_key"]: run for run in reversed(found["run"])}
        # Their keys, by the beginning of their cell's key.
        self._keys: dict[str, set[str]] = {}
        self._note_keys(self._seed_runs)
        self._places = {cell.key: place for place, cell in enumerate(plan.cells)}
        self._cells: dict[str, list[Run]] = {}
        for run in found["cell"]:
            self._cells.setdefault(run.data.tags["cell_key"], []).append(run)
        self._current: dict[str, str] = {}
        self.studies = StudyTracker(plan, uri) if any(cell.is_tuned for cell in plan.cells) else None
        self.sweep_run_id = self._sweep_run(found["sweep"])

    def close(self) -> None:
        """End the runs that are still open, those of studies too."""
        super().close()
        if self.studies is not None:
            self.studies.close()

    def add_runs(self, found: list[tuple[Cell, Result]]) -> None:
        """Write runs, each nested in its cell's MLflow run, except those that are there or that the user deleted."""
        for cell, run in found:
            self._prepare(cell, run)
        new = {run.info.key: (cell, run) for cell, run in found if run.info.key not in self._seed_runs}
        for cell, run in found:
            if run.info.key not in new:
                self._update(cell, run, self._seed_runs[run.info.key])
        made = self.add([self._finished(cell, run) for cell, run in new.values()])
        self._seed_runs |= dict(zip(new, made, strict=True))
        self._note_keys(new)

    def _note_keys(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._keys.setdefault(key.partition("-")[0], set()).add(key)

    def _prepare(self, cell: Cell, run: Result) -> None:
        """Make sure that the run's cell has an MLflow run, and that the run has none of an earlier training."""
        parent = self._cell_run(cell, run.info.started)
        recorded = self._seed_runs.get(run.info.key)
        if recorded is not None and recorded.data.tags.get("started") != f"{run.info.started:.3f}":
            # The run was trained again: replace its MLflow run and, as its aggregates change, that of its cell.
            self.delete(self._seed_runs.pop(run.info.key))
            if parent not in self.open and not _is_on_all_rows(cell, run):
                self._new_cell_run(cell, run.info.started)

    def _update(self, cell: Cell, run: Result, recorded: Run) -> None:
        """Write what a run lacks that is there already, unless the user deleted it."""
        if recorded.info.lifecycle_stage == "deleted":
            return
        run_id, parent = recorded.info.run_id, self._current[cell.key]
        if recorded.data.tags.get("mlflow.parentRunId") != parent:
            self.client.set_tag(run_id, "mlflow.parentRunId", parent)
        if run_id in self.open or recorded.info.status == "KILLED":
            self.complete(run_id, self._finished(cell, run))

    def _finished(self, cell: Cell, run: Result) -> FinishedRun:
        info = run.info
        tags = self.tags(cell, "all_rows" if _is_on_all_rows(cell, run) else "run") | {
            "mlflow.parentRunId": self._current[cell.key],
            "run_key": info.key,
            **_identity(info.id),
            "status": info.status,
            "stuck": str(info.stuck).lower(),
            "started": f"{info.started:.3f}",
        }
        if info.error:
            tags["error"] = info.error[:5000]
        likely = cause(cell, run) if info.status != FAILED else None
        if likely is not None:
            tags["cause"] = likely.text
        moment = milliseconds(info.ended)
        finals = {f"final/{name}": value for name, value in info.scores.items()}
        finals |= {f"naive/{name}": value for name, value in info.naive.items()}
        epochs = {"diverged_epoch": info.diverged_epoch, "selected_epoch": info.selected_epoch}
        finals |= {name: epoch for name, epoch in epochs.items() if epoch}
        return FinishedRun(
            name=f"{cell.name}/{info.id.name}",
            tags=tags,
            params=params(cell, info.tuned) | _identity(info.id),
            metrics=run_curves(run, moment) + [Metric(name, value, moment, 0) for name, value in finals.items()],
            status="FAILED" if info.status == FAILED else "FINISHED",
            started=info.started,
            ended=info.ended,
        )

    def add_cell(self, results: CellResults) -> None:
        """Write the aggregates, curves, figure and description of a cell, once all its runs are written."""
        cell = results.cell
        ended = max(run.info.ended for run in results.runs)
        run_id = self._cell_run(cell, results.runs[0].info.started)
        if run_id not in self.open:
            return
        moment = milliseconds(ended)
        metrics = [Metric(name, value, moment, 0) for name, value in aggregates(results).items()]
        metrics += [Metric(f"naive/{name}", value, moment, 0) for name, value in results.naive.items()]
        metrics += [Metric(f"ceiling/{name}", value, moment, 0) for name, value in results.ceiling.items()]
        metrics += cell_curves(results, moment)
        metrics += [Metric(name, value, moment, 0) for name, value in self._tuned(cell).items()]
        self._log_dataset(run_id, cell)
        folder = self.plan.folder / cell.folder
        with suppress(FileNotFoundError):
            self.client.log_artifact(run_id, str(folder / "cell.json"))
            self.client.log_artifact(run_id, str(folder / ".hydra" / "config.yaml"))
        table = results_table(self.plan, [results]).to_csv(index=False)
        self.client.log_text(run_id, table, "runs.csv")
        if len(self.plan.cells) <= MOST_DRAWN and any("epochs" in run.arrays for run in results.runs):
            self.client.log_figure(run_id, cell_figure(results, cell.metric), "curves.png")
        whole = FinishedRun(
            name=cell.name,
            tags={},
            params=params(cell, results.tuned),
            metrics=metrics,
            status="FINISHED",
            started=results.runs[0].info.started,
            ended=ended,
        )
        self.complete(run_id, whole, {"mlflow.note.content": self._cell_note(results)})
        for other in self._cells.get(cell.key, []):
            if other.info.run_id != run_id and other.info.lifecycle_stage != "deleted":
                self.replace(other)

    def keep_models(self, chosen: list[tuple[CellResults, Result]]) -> None:
        """Keep the networks of chosen runs as models, unless a run on disk is newer than its MLflow run."""
        found = []
        # Those that were trained on all rows of a cross-validation are none of the plan's runs.
        self.add_runs([(results.cell, run) for results, run in chosen if _is_on_all_rows(results.cell, run)])
        for results, run in chosen:
            recorded = self._seed_runs.get(run.info.key)
            if recorded is not None and recorded.data.tags.get("started") == f"{run.info.started:.3f}":
                cell_run = self.client.get_run(self._cell_run(results.cell, run.info.started))
                found.append((results.cell, run, self.client.get_run(recorded.info.run_id), cell_run))
        keep_models(self, found)

    def progress(self, n_finished: int) -> None:
        """Log the number of finished runs to the sweep's MLflow run."""
        metric = Metric("runs_finished", n_finished, milliseconds(time.time()), n_finished)
        self.log(self.sweep_run_id, [metric], {})

    def add_figures(self, results: list[CellResults]) -> None:
        """Write a figure of each data set to the sweep's MLflow run."""
        for data in dict.fromkeys(result.cell.data for result in results):
            chosen = [r for r in results if r.cell.data == data and any("epochs" in x.arrays for x in r.runs)]
            if 0 < len(chosen) <= MOST_TOGETHER:
                figure = dataset_figure(data, chosen, chosen[0].cell.metric)
                self.client.log_figure(self.sweep_run_id, figure, f"curves-{shortened(data.replace('/', '-'))}.png")

    def finish(self, results: list[CellResults], note: str, answers: str) -> None:
        """Write the answer and report of a finished sweep to its MLflow run, and the answer above its runs."""
        for name in ("results.csv", "plan.json", PAGE, SUMMARY, TABLE):
            if (self.plan.folder / name).exists():
                self.client.log_artifact(self.sweep_run_id, str(self.plan.folder / name))
        if (self.plan.folder / FIGURES).is_dir():
            self.client.log_artifacts(self.sweep_run_id, str(self.plan.folder / FIGURES), FIGURES)
        self.client.set_tag(self.sweep_run_id, "mlflow.note.content", note)
        shown = description(self.plan, self.experiment, answers)["mlflow.note.content"]
        self.client.set_experiment_tag(self.experiment_id, "mlflow.note.content", shown)
        self.log(self.sweep_run_id, counts(results), {})
        self.terminate(self.sweep_run_id, "FINISHED", time.time())
        self.delete_unanswered()
        if self.studies is not None:
            self.studies.delete_unanswered()

    # ---- Finding and creating MLflow runs.

    def _sweep_run(self, known: list[Run]) -> str:
        live = [run for run in known if run.info.lifecycle_stage != "deleted"]
        if live:
            self.reopen(live[0])
            return live[0].info.run_id
        tags = {"kind": "sweep", "sweep": self.plan.name, **self.source()}
        return self.create(self.plan.name, tags, time.time()).info.run_id

    def _cell_run(self, cell: Cell, started: float) -> str:
        """Return the id of a cell's MLflow run with exactly the plan's seeds, which is created if there is none."""
        if cell.key in self._current:
            return self._current[cell.key]
        seeds = self._runs_of(cell)
        same = [
            run
            for run in self._cells.get(cell.key, [])
            if run.data.tags["seeds"] == seeds and run.data.tags.get("replaced") != "true"
        ]
        if same:
            run = same[0]
            if run.info.status != "FINISHED" and run.info.lifecycle_stage != "deleted":
                self.reopen(run)
            self._current[cell.key] = run.info.run_id
            return run.info.run_id
        return self._new_cell_run(cell, started)

    def _new_cell_run(self, cell: Cell, started: float) -> str:
        tags = self.tags(cell, "cell") | {"cell_key": cell.key, "seeds": self._runs_of(cell)}
        tags |= self._study_tags(cell)
        tags["mlflow.runColor"] = COLOURS[self._places[cell.key] % len(COLOURS)]
        run = self.create(cell.name, tags | self.source(), started)
        self._cells.setdefault(cell.key, []).append(run)
        # Runs of the cell that are in MLflow already, of other seeds too, are nested in the new run from now on.
        keys = sorted(self._keys.get(cell.key[:16], ()))
        there = [self._seed_runs[key] for key in keys if key in self._seed_runs]
        ids = [each.info.run_id for each in there if each.info.lifecycle_stage != "deleted"]
        self.set_tag(ids, "mlflow.parentRunId", run.info.run_id)
        self._current[cell.key] = run.info.run_id
        return run.info.run_id

    def _runs_of(self, cell: Cell) -> str:
        """Return which runs a cell has, in short: ``30``, or ``2 x 5 folds x 3``."""
        repeat = cell.settings.folds
        folds = f"{repeat.repetitions} x {repeat.folds} folds x " if repeat else ""
        return folds + _short_seeds(self.plan.seeds[cell.settings.repeat.name])

    def _study_tags(self, cell: Cell) -> dict[str, str]:
        """Return tags that name a tuned cell's study, and the edge of the range if the learning rate lies there."""
        outcome = read_outcome(self.plan.folder / cell.folder) if cell.is_tuned else None
        if outcome is None or self.studies is None:
            return {}
        return {
            "study": outcome.study,
            "study_experiment": self.studies.experiment.name,
            "edge": outcome.edge or "none",
        }

    def _tuned(self, cell: Cell) -> dict[str, float]:
        """Return the learning rate that a study chose and the ends of its tolerance, as metrics."""
        outcome = read_outcome(self.plan.folder / cell.folder) if cell.is_tuned else None
        if outcome is None or not outcome.parameters:
            return {}
        names = ("tuned/learning_rate", "tuned/tolerance_low", "tuned/tolerance_high")
        return dict(zip(names, (outcome.learning_rate, *outcome.tolerance), strict=True))

    def _cell_note(self, results: CellResults) -> str:
        cell, metric = results.cell, results.cell.metric
        value = mean_and_interval(results, f"test/{metric}")
        order = "desc" if lower_is_better(metric) else "asc"
        query = {
            "searchFilter": f"tags.kind = 'run' and tags.cell = {quoted(cell.name)}",
            "orderByKey": f"metrics.`final/test/{metric}`",
            "orderByAsc": str(order == "asc").lower(),
        }
        page = f"#/experiments/{self.experiment_id}/runs?{TRAINING}&{urlencode(query, quote_via=quote)}"
        seeds = f"[Its seeds, the worst first]({page})"
        noun = "runs" if cell.settings.folds else "seeds"
        return f"test {metric} {value} over {len(results.runs)} {noun}. {seeds}{self._study_note(results)}"

    def _study_note(self, results: CellResults) -> str:
        """Return a sentence with the tuned learning rate and a link to its study; '' for an untuned cell."""
        outcome = read_outcome(self.plan.folder / results.cell.folder) if results.tuned else None
        if outcome is None or self.studies is None:
            return ""
        warning = f" {outcome.warning.capitalize()}." if outcome.warning else ""
        return f"\n\nLearning rate {outcome.learning_rate:.3g}, chosen by {self.studies.link(results.cell)}.{warning}"

    def _log_dataset(self, run_id: str, cell: Cell) -> None:
        try:
            info = json.loads((self.plan.folder / cell.folder / "cell.json").read_text())
        except FileNotFoundError:
            # The cell failed before its data was loaded, so it has no description.
            return
        source = DATASETS[cell.settings.dataset.name].source
        dataset = Dataset(cell.dataset, info["digest"], "code", json.dumps({"source": source}))
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train and test")])])


def _is_on_all_rows(cell: Cell, run: Result) -> bool:
    """Return whether a run is the one of a cross-validated cell that was trained on all rows."""
    return cell.settings.folds is not None and run.info.id.split is None


def _identity(run: RunId) -> dict[str, str]:
    """Return what tells a run from the others of its cell, as tags or params."""
    place = {"repetition": run.repetition, "fold": run.fold} if run.split else {}
    return {name: str(value) for name, value in {**place, "seed": run.seed}.items()}


def _short_seeds(seeds: list[int]) -> str:
    return str(len(seeds)) if seeds == list(range(len(seeds))) else ",".join(map(str, seeds))[:4000]
