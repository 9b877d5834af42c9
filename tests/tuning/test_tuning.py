"""Studies: what they may see, what they choose, and that nothing of them is lost or done twice."""

import csv
import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from support.commands import BIN, environment, run
from support.mlflow_store import mlflow_metrics, mlflow_runs
from support.processes import TRIALS, kill, kill_after, start
from support.sweeps import Sweep

from lossbench.config.search_space import LEARNING_RATE, dimensions, sampler
from lossbench.config.settings import with_values
from lossbench.datasets.loading import Dataset, Part, load
from lossbench.ground.errors import UsageError
from lossbench.ground.run_ids import RunId
from lossbench.planning.command_line import read_flags, read_overrides
from lossbench.planning.keys import cell_key, key_settings, untuned
from lossbench.planning.plan import Cell
from lossbench.planning.planner import make_plan
from lossbench.tuning.study_files import Trial, read_outcome, read_trials

SMALL_STUDY = ["epochs=2", "tune.trials=4", "tune.batch=2", "tune.folds=2", "tune.repetitions=1", "tune.widen=false"]
# Two losses, tuned and untuned; small enough to be quick.
BUDGET = ["tune.trials=5", "tune.batch=4", "tune.folds=2", "tune.repetitions=1", "tune.widen=false"]
SMALL = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=3", "seeds=2", "tune=none,learning_rate", *BUDGET]


def plan(*argv: str):
    flags = read_flags(list(argv))
    return make_plan(read_overrides(flags.overrides, multirun=flags.multirun), "lossbench")


def tuned_cell(*argv: str) -> Cell:
    return plan("tune=learning_rate", *argv).cells[0]


def message(*argv: str) -> str:
    with pytest.raises(UsageError) as error:
        plan("-m", "tune=learning_rate", *argv)
    return str(error.value)


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv") as file:
        return list(csv.DictReader(file))


def without_times(folder: Path) -> dict[str, dict]:
    """Return all that studies wrote in a sweep's folder, but for when."""
    found = {}
    for path in sorted(folder.glob("*/study/*.json")):
        content = json.loads(path.read_text())
        found[str(path.relative_to(folder))] = {k: v for k, v in content.items() if k not in ("started", "ended")}
    return found


def trial(number: int, rate: float, value: float) -> Trial:
    return Trial(number, {LEARNING_RATE: rate}, "finished", value, {"1.1": value}, "", float(number), number + 1.0)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Sweep:
    """A finished sweep of four cells, two of them tuned. Not to be changed by a test."""
    home = tmp_path_factory.mktemp("small")
    return Sweep(home, "small", run(home, *SMALL, "name=small"))


# ---- What is asked for.


def test_untuned_cells_keep_their_keys():
    (tuned,) = plan("tune=learning_rate", "dataset=circles").cells
    (plain,) = plan("dataset=circles").cells
    assert cell_key(untuned(tuned.settings)) == plain.key != tuned.key
    assert "tune" not in key_settings(plain.settings)
    assert "output_scale" not in key_settings(plain.settings)["model"]
    assert plan("dataset=circles", "model.output_scale=2").cells[0].key != plain.key


def test_tuned_cells_are_marked_in_their_names_and_join_untuned_ones_in_a_sweep():
    made = plan("-m", "experiment=tutorial", "tune=none,learning_rate")
    assert made.name == plan("-m", "experiment=tutorial", "tune=learning_rate").name == "tutorial-tuned"
    names = [cell.name for cell in made.cells if cell.loss == "hinge"]
    assert names == ["circles/hinge/tanh", "circles/hinge/tanh/tune=learning_rate"]
    assert [cell.label for cell in made.cells if cell.loss == "hinge"] == ["hinge", "hinge/tuned"]
    # Settings of the study are for the tuned cells; the untuned are not multiplied by them.
    assert len(plan("-m", "dataset=circles", "tune=none,learning_rate", "tune.trials=8,16").cells) == 3


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["tune.seeds=[0,1]"], ["tune.seeds 0 and 1 are also evaluation seeds", "the runs that chose it", "1000"]),
        (["seeds=2000"], ["tune.seeds 1000, 1001, … (10 of them)", "tune.seeds=[2000,2001,2002]"]),
        (["tune.seeds=5"], ["also evaluation seeds"]),
        (["tune.seeds=[]"], ["tune.seeds must be"]),
        (["tune.sampler=tp"], ["unknown tune.sampler 'tp'", "did you mean 'tpe'"]),
        (["tune.trials=0"], ["tune.trials must be from 1"]),
        (["tune.batch=few"], ["tune.batch must be an integer"]),
        (["tune.low=1", "tune.high=0.1"], ["tune.low must be above 0 and below tune.high"]),
        (["tune.low=0"], ["tune.low must be above 0"]),
        (["tune.folds=1"], ["tune.folds must be from 2"]),
        (["tune.folds=50", "dataset.split.train=40"], ["at most the number of rows to train on; got 50 for 40"]),
        (["tune.metric=loss"], ["tune.metric must be one of accuracy", "a loss's own value"]),
        (["tune.metric=log_loss", "loss=hinge"], ["needs a probability; loss=hinge with head=tanh gives none"]),
        (["tune.space={optimizer.learning_rate: [0.1,1]}"], ["always searched", "tune.low to tune.high"]),
        (["tune.space={optimizer.momentum: [0,1.5]}"], ["tune.space: optimizer.momentum must be at least 0"]),
        (["tune.space={optimizer.moment: [0,0.5]}"], ["unknown key in tune.space", "optimizer.momentum"]),
        (["tune.space={batch_size: [1.5,3]}"], ["tune.space: batch_size must be an integer"]),
        (["tune.space={model.activation: [relu,rel]}"], ["model.activation must be one of"]),
        (["tune.space={dataset.noise: [0,1]}"], ["takes settings of loss, optimizer and model"]),
        (["tune.space={loss.delt: [0,1]}"], ["unknown loss parameter", "loss.delta"]),
        (["tune.space={loss.delta: [0.1,1]}"], ["no loss of this sweep has loss.delta"]),
        (["tune.space={optimizer.momentum: {low: 0, high: 0.9, log: true}}"], ["above 0 to be searched with log"]),
        (["tune.sampler=grid", "tune.trials=3", "tune.space={optimizer.momentum: [0,0.9]}"], ["are too few"]),
        (["hydra/sweeper=optuna"], ["tune=learning_rate"]),
    ],
)
def test_errors_say_what_must_hold_and_what_to_do(argv, said):
    text = message("dataset=circles", *argv)
    for part in said:
        assert part in text


def test_tune_settings_without_a_study_are_an_error():
    with pytest.raises(UsageError, match="add tune=learning_rate"):
        plan("tune.trials=8")


def test_all_losses_have_one_budget(tmp_path, monkeypatch):
    grids = "\n".join(
        f"  - {{dataset: circles, loss: {loss}, tune: learning_rate, tune.trials: {n}}}"
        for loss, n in (("bce", 8), ("hinge", 32))
    )
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "unfair.yaml").write_text(f"# @package _global_\ngrids:\n{grids}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="must have the same tune settings"):
        plan("experiment=unfair")


def test_a_parameter_of_a_loss_is_searched_for_that_loss():
    space = "tune.space={loss.delta: [0.1,2], optimizer.momentum: {choices: [0.0, 0.9]}, batch_size: [16, 64]}"
    huber, mse = plan("-m", "dataset=friedman1", "loss=huber,mse", "tune=learning_rate", space).cells
    keys = [[dimension.key for dimension in dimensions(cell.settings)] for cell in (huber, mse)]
    assert keys == [
        [LEARNING_RATE, "loss.delta", "optimizer.momentum", "batch_size"],
        [LEARNING_RATE, "optimizer.momentum", "batch_size"],
    ]
    assert [dimension.integer for dimension in dimensions(huber.settings)] == [False, False, False, True]
    changed = with_values(huber.settings, {"loss.delta": 0.5, "model.hidden_units": 7})
    assert (changed.loss.parameters["delta"], changed.model.hidden_units) == (0.5, [7])
    assert huber.settings.loss.parameters["delta"] == 1.0


# ---- Proposals.


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "quasi_random"])
def test_proposals_are_a_function_of_the_trials_before(sampler):
    from lossbench.tuning.proposals import n_trials, proposals

    cell = tuned_cell("dataset=circles", f"tune.sampler={sampler}", "tune.trials=20")
    trials: list[Trial] = []
    while len(trials) < n_trials(cell):
        batch = proposals(cell, trials, 5)
        assert batch == proposals(cell, trials, 5)
        # The peak is at 0.03.
        values = [-abs(0.03 - p[LEARNING_RATE]) for p in batch]
        trials += [
            trial(len(trials) + i, p[LEARNING_RATE], v) for i, (p, v) in enumerate(zip(batch, values, strict=True))
        ]
    rates = [t.learning_rate for t in trials]
    assert len(trials) == len(set(rates)) == 20
    assert all(1e-4 <= rate <= 1.0 for rate in rates)
    if sampler == "grid":
        assert (min(rates), max(rates)) == (1e-4, 1.0)
    if sampler in ("random", "quasi_random"):
        # More trials begin with the fewer ones, whatever the batch.
        assert [p[LEARNING_RATE] for p in proposals(cell, [], 20)] == rates


def test_a_grid_has_at_most_as_many_points_as_there_are_trials():
    from lossbench.tuning.proposals import n_trials, proposals

    space = "tune.space={optimizer.momentum: [0.0,0.9], optimizer.nesterov: [true,false]}"
    cell = tuned_cell("dataset=circles", "tune.sampler=grid", "tune.trials=20", space)
    found = proposals(cell, [], n_trials(cell))
    assert len(found) == len({tuple(p.values()) for p in found}) == 3 * 3 * 2


# ---- Searching, without a test split at hand.


class WithoutTest(dict):
    """Splits whose test split raises when it is touched, as does whatever would go through all of them."""

    def _refuse(self, *_):
        raise AssertionError("a study touched the test split")

    items = values = copy = _refuse

    def __getitem__(self, name):
        return self._refuse() if name == "test" else super().__getitem__(name)

    def get(self, name, default=None):
        return self._refuse() if name == "test" else super().get(name, default)


def guarded(cell: Cell) -> Dataset:
    """Return a cell's data set without a test split at hand."""
    dataset = load(cell.settings.dataset)
    splits = WithoutTest({name: dataset.splits[name] for name in dataset.splits})
    return Dataset(dataset.name, dataset.task, dataset.n_classes, splits, dataset.digest)


def searched(folder: Path, *argv: str):
    """Return a cell, what its study found without a test split at hand, and its trials."""
    from lossbench.tuning import study

    asked = [
        *argv,
        *(text for text in SMALL_STUDY if text.partition("=")[0] not in {a.partition("=")[0] for a in argv}),
    ]
    cell = tuned_cell(*asked, "repeat=seeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "load", lambda _: guarded(cell))
        outcome = study.search(cell, folder, [RunId(0)], n_threads=2)
    return cell, outcome, read_trials(cell, folder)


def test_a_study_does_not_touch_the_test_split(tmp_path):
    with pytest.raises(AssertionError, match="touched the test split"):
        guarded(tuned_cell("dataset=circles")).splits["test"]
    _, outcome, trials = searched(tmp_path, "dataset=circles")
    # The configured rate is the fifth: it is not on the grid.
    assert [t.number for t in trials] == [0, 1, 2, 3, 4]
    assert trials[4].learning_rate == outcome.default == 0.01
    assert outcome == read_outcome(tmp_path)
    assert outcome.value == next(t.value for t in trials if t.number == outcome.number)


def prepared(*argv: str):
    from lossbench.tuning.study import PreparedStudy

    return PreparedStudy(cell := tuned_cell(*argv, "repeat=seeds"), guarded(cell))


def rows_of(parts: Iterable[Part]) -> list[tuple[float, ...]]:
    return sorted(tuple(x) for part in parts for x in part.x)


def test_folds_are_those_of_the_training_rows_and_the_same_for_all_losses():
    studies = [prepared("dataset=blobs", f"loss={loss}") for loss in ("cce", "mse")]
    for one, other in zip(*(study.trainings for study in studies), strict=True):
        splits, others = (study.prepared(each).splits for study, each in zip(studies, (one, other), strict=True))
        assert {name: len(part.x) for name, part in splits.items()} == {"train": 400, "judging_1": 100}
        assert one.seed == other.seed
        assert (splits["judging_1"].x == others["judging_1"].x).all()
        assert rows_of(splits.values()) == rows_of([load(studies[0].cell.settings.dataset).splits["train"]])


def test_a_validation_split_is_dealt_into_folds_unless_it_chooses_the_epoch():
    joined = prepared("dataset=digits")
    assert len(joined.rows.x) == 1077 + 270
    assert set(joined.prepared(joined.trainings[0]).splits) == {"train", "judging_1"}
    apart = prepared("dataset=digits", "select=best")
    splits = apart.prepared(apart.trainings[0]).splits
    assert {name: len(part.x) for name, part in splits.items()} == {"train": 862, "validation": 270, "judging_1": 215}


def test_a_study_that_chooses_epochs_judges_them_on_other_rows(tmp_path):
    options = ["dataset=circles", "dataset.split.train=300", "dataset.split.validation=200", "epochs=5"]
    _, outcome, trials = searched(tmp_path, *options, "select=best")
    assert outcome.n_judging == 300
    assert all(list(t.values) == ["1.1", "1.2"] for t in trials)


def test_the_value_of_a_trial_is_the_mean_over_folds_and_agrees_with_the_fit_trainer(tmp_path):
    options = ["dataset=blobs", "tune.trials=1", "tune.sampler=random", "tune.metric=log_loss"]
    _, compiled, (first, _) = searched(tmp_path / "compiled", *options)
    _, fit, (second, _) = searched(tmp_path / "fit", *options, "trainer=fit")
    assert first.parameters == second.parameters
    assert first.value == pytest.approx(sum(first.values.values()) / 2)
    assert list(first.values) == ["1.1", "1.2"]
    assert fit.value == pytest.approx(compiled.value, abs=1e-5)


def test_a_training_that_diverges_counts_as_the_best_constant_and_the_study_goes_on(tmp_path):
    options = ["dataset=regression", "dataset.standardize.y=none", "tune.low=1e-5", "tune.high=10"]
    cell, outcome, trials = searched(tmp_path, *options)
    failed = [t for t in trials if t.status == "failed"]
    assert 1 <= len(failed) < len(trials) == 5
    assert all(t.dead == ["1.1", "1.2"] and t.reason == "2 of 2 diverged" for t in failed)
    train = load(cell.settings.dataset).splits["train"].y
    assert all(t.value == pytest.approx(train.std(), rel=0.05) for t in failed)
    assert outcome.n_failed == len(failed)
    assert outcome.number not in [t.number for t in failed]


def test_a_training_that_is_stuck_is_dead_as_its_run_would_be(tmp_path):
    # At this rate nothing moves: the majority class is predicted, as at the start, or less.
    _, outcome, trials = searched(tmp_path, "dataset=imbalanced", "tune.low=1e-9", "tune.high=0.5", "epochs=20")
    slow = next(t for t in trials if t.learning_rate == 1e-9)
    assert slow.dead == ["1.1", "1.2"]
    assert slow.reason == "2 of 2 stuck"
    assert not next(t for t in trials if t.number == outcome.number).dead


@pytest.mark.parametrize(
    ("side", "end"), [("high", ["tune.low=1e-5", "tune.high=1e-3"]), ("low", ["tune.low=0.3", "tune.high=30"])]
)
def test_a_choice_at_the_edge_widens_the_range_once_with_the_same_spacing(tmp_path, side, end):
    options = ["dataset=circles", "loss=bce", "epochs=20", "tune.trials=3", "tune.widen=true"]
    _, outcome, trials = searched(tmp_path, *options, *end)
    rates = [t.learning_rate for t in trials]
    low, middle, high = sorted(rates[:3])
    ratio = middle / low
    assert outcome.widened == side
    assert rates[3:] == pytest.approx([high * ratio**i if side == "high" else low / ratio**i for i in range(1, 5)])
    assert (outcome.low, outcome.high) == pytest.approx((min(rates), max(rates)))
    assert outcome.learning_rate in rates[3:]


def test_a_larger_space_is_searched_by_tpe_and_decided_by_a_race_on_fresh_folds(tmp_path):
    space = "tune.space={optimizer.momentum: [0.0, 0.95]}"
    cell, outcome, trials = searched(tmp_path, "dataset=circles", space, "epochs=20", "tune.trials=7")
    assert sampler(cell.settings.study) == "tpe"
    first, raced = trials[:8], trials[8:]
    assert first[7].parameters == {LEARNING_RATE: 0.01, "optimizer.momentum": 0.9}
    assert {tuple(t.values) for t in first} == {("1.1", "1.2")}
    assert {tuple(t.values) for t in raced} == {("2.1", "2.2")}
    best = sorted(first, key=lambda t: (-t.value, t.number))[:5]
    wanted = [t.parameters for t in best] + ([] if first[7] in best else [first[7].parameters])
    assert [t.parameters for t in raced] == wanted
    assert outcome.number in [t.number for t in raced]
    assert outcome.rule == "race"


def test_a_loss_times_a_constant_is_tuned_to_the_same_training(tmp_path):
    found = []
    for weight in (0.1, 1.0, 10.0):
        terms = f"loss.terms={{mean_squared_error: {{weight: {weight}}}}}"
        options = ["dataset=diabetes", "loss=composite", terms, "epochs=20", "tune.trials=9", "tune.folds=3"]
        _, outcome, _ = searched(tmp_path / str(weight), *options)
        found.append((outcome.learning_rate * weight, outcome.value))
    # Half a decade lies between two rates; the configured one, which is kept where it is good, may be a step aside.
    assert max(rate for rate, _ in found) <= 3.2 * min(rate for rate, _ in found)
    assert max(value for _, value in found) == pytest.approx(min(value for _, value in found), rel=0.02)


def test_structural_settings_can_be_searched(tmp_path):
    space = "tune.space={optimizer.momentum: {choices: [0.0, 0.9]}, loss.delta: [0.5, 2]}"
    _, outcome, trials = searched(tmp_path, "dataset=friedman1", "loss=huber", space)
    assert set(outcome.parameters) == {LEARNING_RATE, "optimizer.momentum", "loss.delta"}
    assert {t.parameters["optimizer.momentum"] for t in trials} == {0.0, 0.9}


# ---- A whole sweep.


def test_the_sweep_prints_chosen_rates_with_tuned_and_untuned_results(small: Sweep):
    assert small.done.status == 0, small.done.err
    assert small.done.err == ""
    lines = small.done.out.splitlines()
    assert lines[0] == "small: 4 cells, 8 runs, 0 finished; first 2 studies (10 trials)"
    assert max(map(len, lines)) <= 80
    assert "hinge/tuned: " in small.done.out
    table = lines.index("(5 trials x 1 x 2 folds; from, to: rates as good as the best, to a standard") + 1
    assert lines[table + 1].split() == ["loss", "untuned", "tuned", "rate", "from", "to"]
    assert {lines[table + i].split()[0] for i in (2, 3)} == {"binary_crossentropy", "hinge"}


@pytest.mark.slow
def test_trials_are_files_and_all_losses_get_the_same_proposals(small: Sweep):
    first, second = sorted(small.folder.glob("*/study"))
    assert [path.name for path in sorted(first.iterdir())] == ["best.json", *(f"trial=000{i}.json" for i in range(5))]
    for number in range(5):
        content = [json.loads((study / f"trial=000{number}.json").read_text()) for study in (first, second)]
        assert content[0]["parameters"] == content[1]["parameters"]
        for one in content:
            assert list(one["values"]) == ["1.1", "1.2"]
            assert one["value"] == pytest.approx(sum(one["values"].values()) / 2)


@pytest.mark.slow
def test_results_csv_has_the_learning_rate_of_each_run(small: Sweep):
    for row in rows(small.folder):
        folder = next(
            p.parent for p in small.folder.glob("*/cell.json") if json.loads(p.read_text())["name"] == row["cell"]
        )
        outcome = read_outcome(folder)
        assert (row["tune"] == "learning_rate") == (outcome is not None)
        assert float(row["learning_rate"]) == (outcome.learning_rate if outcome else 0.01)
        told = json.loads((folder / "cell.json").read_text())
        assert ("study" in told) == (outcome is not None)


@pytest.mark.slow
def test_mlflow_has_studies_and_trials_in_an_experiment_of_their_own(small: Sweep):
    found = [r for r in mlflow_runs(small.home) if r["stage"] == "active"]
    studies = {r["id"]: r for r in found if r["kind"] == "study"}
    trials = [r for r in found if r["kind"] == "trial"]
    assert (len(studies), len(trials)) == (2, 10)
    assert {r["run_status"] for r in found} == {"FINISHED"}
    (tuning,) = {r["exp"] for r in (*studies.values(), *trials)}
    assert tuning not in {r["exp"] for r in found if r["kind"] in ("sweep", "cell", "run")}
    for nested in trials:
        assert studies[nested["mlflow.parentRunId"]]["cell"] == nested["cell"]
        points = {key: value for key, value, *_ in mlflow_metrics(small.home, nested["id"])}
        assert set(points) == {"learning_rate", "validation/accuracy"} | {
            f"validation/accuracy/fold_1.{fold}" for fold in (1, 2)
        }
    for study in studies.values():
        points = {key for key, *_ in mlflow_metrics(small.home, study["id"])}
        assert {"best/learning_rate", "best/validation/accuracy", "trials", "tolerance_low"} <= points
        artifacts = small.home / "mlruns" / "artifacts" / "small-tuning" / study["id"] / "artifacts"
        assert {p.name for p in artifacts.iterdir()} == {"learning-rates.png", "trials.csv"}
        assert study["edge"] in ("none", "low", "high")
        assert study["kept"] in ("true", "false")
    with sqlite3.connect(small.home / "mlruns" / "mlflow.db") as db:
        for cell in (r for r in found if r["kind"] == "cell" and "tune=" in r["cell"]):
            assert cell["study"].startswith(cell["cell"])
            assert cell["study_experiment"] == "small-tuning"
            assert next(iter(studies)) in cell["mlflow.note.content"] or list(studies)[1] in cell["mlflow.note.content"]
            query = "SELECT value FROM params WHERE run_uuid = ? AND key = 'optimizer.learning_rate'"
            used = db.execute(query, (cell["id"],)).fetchone()[0]
            assert used in {row["learning_rate"] for row in rows(small.folder) if row["cell"] == cell["cell"]}


@pytest.mark.slow
def test_writing_studies_to_mlflow_again_changes_nothing(small: Sweep):
    def state():
        found = mlflow_runs(small.home)
        return sorted((r["id"], len(mlflow_metrics(small.home, r["id"]))) for r in found if r["kind"] != "sweep")

    before = state()
    (small.folder / "tracked.json").unlink()
    assert run(small.home, "small", command="lossbench-sync").status == 0
    assert state() == before


@pytest.mark.slow
def test_optunas_storage_is_written_from_the_trials(small: Sweep):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(small.folder / "studies.log")))
    summaries = optuna.get_all_study_summaries(storage)
    assert len(summaries) == 2
    for summary in summaries:
        study = optuna.load_study(study_name=summary.study_name, storage=storage)
        folder = small.folder / summary.study_name.replace("/", "-")
        assert len(study.trials) == 5
        assert study.user_attrs["chosen"] == read_outcome(folder).parameters
        assert read_outcome(folder).value in [each.value for each in study.trials]


@pytest.mark.slow
def test_repeating_a_finished_tuned_sweep_trains_and_imports_nothing(small: Sweep, tmp_path):
    probe = "import sys, atexit\n"
    probe += "heavy = ('tensorflow', 'mlflow', 'optuna')\n"
    probe += "atexit.register(lambda: print([m for m in heavy if m in sys.modules], file=sys.stderr))\n"
    probe += f"sys.argv = ['lossbench', *{[*SMALL, 'name=small']!r}]\nfrom lossbench.commands.main import main\nmain()"
    done = subprocess.run(
        [BIN / "python", "-c", probe],
        cwd=tmp_path,
        env=environment(small.home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "small: 4 cells, 8 runs, 8 finished; nothing to run"
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
def test_exported_learning_rates_are_a_choice_for_later_sweeps(small: Sweep, tmp_path, monkeypatch):
    home = environment(small.home)
    done = subprocess.run(
        [BIN / "lossbench-export", "tuned", "small"], cwd=tmp_path, env=home, capture_output=True, text=True, check=True
    )
    assert "written: conf/tuned/small.yaml" in done.stdout
    card = run(tmp_path, "tuned", "small", command="lossbench-list").out
    assert "circles/hinge/tanh" in card
    assert "optimizer.learning_rate=0." in card
    monkeypatch.chdir(tmp_path)
    made = plan("-m", "dataset=circles", "loss=bce,hinge", "tuned=small", "epochs=3")
    found = {
        read_outcome(folder.parent).study.split("/")[1]: read_outcome(folder.parent)
        for folder in small.folder.glob("*/study")
    }
    for cell in made.cells:
        rate = found[cell.loss].learning_rate
        assert cell.settings.optimizer.learning_rate == rate
        # It is the cell that one gets who types the number.
        by_hand = plan("dataset=circles", f"loss={cell.loss}", "epochs=3", f"optimizer.learning_rate={rate!r}").cells
        assert (cell.key, cell.name) == (by_hand[0].key, by_hand[0].name)
        assert not any(text.startswith("tuned=") for text in cell.overrides)
    # `loss=all` shares what was typed between its cells, and no loss's learning rate.
    (tmp_path / "conf" / "tuned" / "all.yaml").write_text(
        "cells:\n"
        + "".join(
            f"- {{dataset: blobs, head: {cell.head}, loss: {cell.loss}, where: {{}}, "
            f"values: {{optimizer.learning_rate: {0.001 * (i + 1)}}}}}\n"
            for i, cell in enumerate(plan("-m", "dataset=blobs", "loss=all").cells)
        )
    )
    rates = [c.settings.optimizer.learning_rate for c in plan("-m", "dataset=blobs", "loss=all", "tuned=all").cells]
    assert rates == [0.001 * (i + 1) for i in range(len(rates))]
    for argv, said in (
        (["loss=exponential"], "has no learning rate for circles/"),
        (["loss=hinge", "optimizer=adam"], "with optimizer=sgd only"),
        (["loss=hinge", "optimizer.learning_rate=0.1"], "leave one of them out"),
        (["loss=hinge", "tune=learning_rate"], "leave one of them out"),
        (["loss=hinge", "tuned=smal"], "did you mean 'small'"),
    ):
        with pytest.raises(UsageError, match=said):
            plan("dataset=circles", "tuned=small", *argv)


@pytest.mark.slow
def test_exporting_rates_of_an_unknown_or_untuned_sweep_is_an_error(small: Sweep, smoke: Sweep):
    assert "did you mean 'small'" in run(small.home, "tuned", "smal", command="lossbench-export").err
    done = run(smoke.home, "tuned", "smoke", command="lossbench-export")
    assert done.status == 2
    assert "no study of smoke has found a learning rate" in done.err


@pytest.mark.slow
def test_a_study_without_a_usable_rate_is_an_error_and_one_at_the_edge_a_warning(tmp_path):
    options = ["dataset=regression", "dataset.standardize.y=none", "epochs=20", "seeds=2", *BUDGET]
    done = run(tmp_path, "tune=learning_rate", *options, "tune.low=5", "tune.high=10", "name=none")
    assert done.status == 1
    assert done.out.count("no learning rate in [5, 10] trains; widen the range (tune.low, tune.high)") >= 1
    assert done.out.count("FAILED  regression/mean_squared_error") == 1
    assert [row["status"] for row in rows(tmp_path / "multirun" / "none")] == ["failed", "failed"]
    narrow = run(tmp_path, "tune=learning_rate", *options[:1], *options[2:], "tune.high=0.001", "name=edge")
    assert narrow.status == 0
    assert "lies at the edge of [0.0001, 0.001]" in narrow.out
    assert "tune.high=…" in narrow.out
    assert {r["edge"] for r in mlflow_runs(tmp_path) if r["kind"] in ("study", "cell") and r["sweep"] == "edge"} == {
        "high"
    }


# ---- Killed, and continued.


@pytest.mark.slow
def test_a_study_killed_within_a_batch_is_continued_to_the_same_outcome(small: Sweep, tmp_path):
    for n_trials in (2, 5):
        kill_after(start(tmp_path, *SMALL, "name=small", "tracking.enabled=false"), tmp_path, TRIALS, n_trials)
    there = {path: path.read_bytes() for path in tmp_path.glob("multirun/small/*/study/trial=*.json")}
    done = run(tmp_path, *SMALL, "name=small", "tracking.enabled=false")
    assert done.status == 0, done.out + done.err
    assert all(path.read_bytes() == content for path, content in there.items())
    cut = tmp_path / "multirun" / "small"
    assert without_times(cut) == without_times(small.folder)
    assert (cut / "results.csv").read_bytes() == (small.folder / "results.csv").read_bytes()


@pytest.mark.slow
def test_a_study_killed_at_twenty_random_moments_equals_the_uninterrupted_one(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    budget = ["tune=learning_rate", "tune.trials=24", "tune.batch=4", "epochs=150", "seeds=2", "name=cut"]
    # TPE learns from the trials before; the configured rate is the last.
    budget += ["tune.sampler=tpe", "tune.folds=5", "tune.repetitions=1"]
    arguments = ["-m", "dataset=circles", "loss=bce,hinge", *budget]
    assert run(whole, *arguments).status == 0
    rng = random.Random(5)
    n_kills, counts = 0, []
    while n_kills < 20:
        process = start(cut, *arguments)
        there = len(list(cut.glob("multirun/cut/*/study/trial=*.json")))
        # Sometimes while it starts or compiles, mostly at some moment of a batch.
        if rng.random() < 0.2:
            time.sleep(rng.uniform(0.1, 5.0))
        else:
            kill_after_trials = min(there + rng.randint(1, 3), 49)
            deadline = time.monotonic() + 60
            while len(list(cut.glob("multirun/cut/*/study/trial=*.json"))) < kill_after_trials:
                if process.poll() is not None or time.monotonic() > deadline:
                    break
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.15))
        assert process.poll() is None, "it ended before it was killed often enough"
        kill(process)
        n_kills += 1
        counts.append(len(list(cut.glob("multirun/cut/*/study/trial=*.json"))))
    assert counts == sorted(counts)
    done = run(cut, *arguments)
    assert done.status == 0, done.out + done.err
    folders = [home / "multirun" / "cut" for home in (whole, cut)]
    assert without_times(folders[0]) == without_times(folders[1])
    assert len(without_times(folders[1])) == 2 * 26
    assert (folders[0] / "results.csv").read_bytes() == (folders[1] / "results.csv").read_bytes()
    # A trial fails whose trainings all diverged or got stuck.
    assert {r["run_status"] for r in mlflow_runs(cut) if r["kind"] != "trial"} == {"FINISHED"}
    assert {r["run_status"] for r in mlflow_runs(cut) if r["kind"] == "trial"} <= {"FINISHED", "FAILED"}
    trials = [r for r in mlflow_runs(cut) if r["kind"] == "trial" and r["stage"] == "active"]
    assert len(trials) == len({r["trial_key"] for r in trials}) == 50


@pytest.mark.slow
def test_the_joblib_launcher_gives_the_same_studies(small: Sweep, tmp_path):
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    done = run(tmp_path, *SMALL, "name=small", "tracking.enabled=false", *launcher)
    assert done.status == 0, done.out + done.err
    assert without_times(tmp_path / "multirun" / "small") == without_times(small.folder)


@pytest.mark.slow
def test_rerun_all_repeats_a_study_and_keeps_the_earlier_one(small: Sweep, tmp_path):
    one = ["dataset=circles", "epochs=2", "seeds=1", "tune=learning_rate", *BUDGET, "name=one"]
    run(tmp_path, *one)
    first = without_times(tmp_path / "multirun" / "one")
    again = run(tmp_path, *one, "rerun=all")
    assert again.status == 0
    assert without_times(tmp_path / "multirun" / "one") == first
    assert len(list(tmp_path.glob("multirun/one/*/earlier/study-*/best.json"))) == 1
    live = [r for r in mlflow_runs(tmp_path) if r["stage"] == "active"]
    assert sum(r["kind"] == "study" for r in live) == 1
    assert sum(r["kind"] == "trial" for r in live) == 5
