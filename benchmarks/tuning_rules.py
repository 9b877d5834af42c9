"""Which rule chooses a learning rate well? Studies of lossbench's own networks, ranked on rows that no study has.

    python benchmarks/tuning_rules.py                                  (about 20 minutes on one core)
    python benchmarks/tuning_rules.py --studies 10                     (minutes)
    python benchmarks/tuning_rules.py --keep folder                    (a second time, without training again)
    python benchmarks/tuning_rules.py --keep folder --seeds 40         (the last rule's choices, with more seeds)

Each study has 500 rows of its own from a generator. The rules choose from the same trainings at the same 17 rates. The
truth of a rate is the mean over 5 seeds trained on all 500 rows, on 20,000 rows that no study has; runs that die count
as the best constant prediction. A rule's regret is what its choice loses against the best rate of its study, in points
of accuracy or percent of the error.

The mean of 5 seeds has an error of its own, of about 0.3 points in a difference. With ``--seeds`` the choices of
lossbench's rule and the configured rate are trained with so many other seeds, and the share that is worse is counted
again.

A loss times a constant is the same loss: "scaled" are the losses times 0.1 to 10, tuned by the same rule from the same
configured rate; "off by 1" is the share of them whose truth differs by 1 from the loss's own.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from fresh_samples import cell_of, dataset_of, forward

from lossbench.datasets.catalogue import described
from lossbench.datasets.loading import Dataset, Part
from lossbench.ground.loading_functions import load_function
from lossbench.ground.run_ids import RunId
from lossbench.jobs.evaluate import ended_stuck
from lossbench.jobs.prepare import PreparedCell
from lossbench.metrics.catalogue import lower_is_better
from lossbench.metrics.reference_predictors import naive_scores
from lossbench.planning.plan import Cell
from lossbench.training.specification import main_metric
from lossbench.training.trainers import TRAIN
from lossbench.tuning import choice
from lossbench.tuning.folds import Training, repeated_folds

N_ROWS, N_FRESH, N_FOLDS = 500, 20_000, 5
# The rates of a study, and the place of the default. Beyond them are those that a loss times a constant would try: ten
# times a loss at one rate trains as the loss does at ten times the rate.
RATES, DEFAULT = np.logspace(-4, 0, 17), 8
MORE_RATES, SHIFTS = np.logspace(-5, 1, 25), (-4, -3, -2, -1, 1, 2, 3, 4)
N_TRUTH, N_HOLDOUT = 5, 5
CELLS = {
    "circles": "loss=binary_crossentropy",
    "moons": "loss=squared_hinge",
    "friedman1": "loss=mean_absolute_error",
    "regression": "loss=mean_squared_error",
    "blobs": "loss=categorical_crossentropy",
}


@dataclass(frozen=True)
class CellOnRows(PreparedCell):
    """A cell with a data set of chosen rows."""

    rows: Dataset | None = None

    @property
    def dataset(self) -> Dataset:
        assert self.rows is not None
        return self.rows


@dataclass(frozen=True)
class Studies:
    """The trainings of all studies of a cell; every value is an error: lower is better.

    Attributes
    ----------
    folds : float array, shape (n_studies, n_rates, 10)
        The value of each training on the fold that it leaves out, at each of MORE_RATES.
    dead : bool array, shape (n_studies, n_rates, 10)
    tried, held_out : float arrays, shape (n_studies, 32)
        Rates that TPE proposed, and the mean of 5 seeds on one holdout of 100 rows.
    truth : float array, shape (n_studies, n_rates)
    """

    folds: np.ndarray
    dead: np.ndarray
    tried: np.ndarray
    held_out: np.ndarray
    truth: np.ndarray

    def scaled(self, shift: int) -> "Studies":
        """Return the studies of the loss times a constant: at RATES it trains as this one does so many rates higher."""
        seen = slice(4 + shift, 4 + shift + len(RATES))
        return replace(self, folds=self.folds[:, seen], dead=self.dead[:, seen], truth=self.truth[:, seen])


def rows_of(whole: Dataset, rows: np.ndarray, judged: np.ndarray) -> Dataset:
    part = whole.splits["all"]
    splits = {name: Part(part.x[chosen], part.y[chosen]) for name, chosen in (("train", rows), ("test", judged))}
    return replace(whole, splits=splits)


def error(cell: Cell, dataset: Dataset, rates: np.ndarray, seed: int) -> tuple[list[float], list[bool]]:
    """Train with a seed at each rate; return the errors on the data set's test part, and which trainings died."""
    prepared, metric, test = CellOnRows(cell, rows=dataset), cell.metric, dataset.splits["test"]
    run, sign = prepared.run(RunId(seed)), 1 if lower_is_better(cell.metric) else -1
    train = dataset.in_unit(dataset.splits["train"].y)
    naive = naive_scores(cell.pair, train, dataset.in_unit(test.y), dataset.n_classes)[metric]
    values, dead = [], []
    for rate in rates:
        done = TRAIN["compiled"](
            prepared.structure, run.data, replace(prepared.hyperparameters, learning_rate=float(rate)), seed
        )
        score, loss = (float(prepared.curves(done)[f"train/{name}"][-1]) for name in (metric, "loss"))
        dead.append(bool(done.diverged_epoch) or ended_stuck(run, score, loss))
        own = naive if dead[-1] else main_metric(metric, cell.pair, forward(done.weights, test.x), test.y, dataset.unit)
        values.append(sign * own)
    return values, dead


def tpe(cell: Cell, dataset: Dataset, study: int) -> tuple[list[float], list[float]]:
    """Return the rates that 32 trials of TPE try, and their values: one holdout, 5 seeds."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=study))
    for _ in range(4):
        asked = [search.ask({"rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True)}) for _ in range(8)]
        rates = np.array([trial.params["rate"] for trial in asked])
        found = np.mean([error(cell, dataset, rates, 1000 + seed)[0] for seed in range(N_HOLDOUT)], axis=0)
        for trial, value in zip(asked, found, strict=True):
            search.tell(trial, value)
    return [trial.params["rate"] for trial in search.trials], [trial.value for trial in search.trials]


def samples_of(data: str, loss: str, n_studies: int) -> Iterator[tuple[Cell, Dataset]]:
    """Yield each study's sample: its N_ROWS rows and N_FRESH that no study has, in a part "all"."""
    cell = cell_of(data, loss, n_studies * N_ROWS + N_FRESH)
    settings = cell.settings.dataset
    x, y = load_function(described(settings).maker)(**settings.parameters)
    fresh = np.arange(n_studies * N_ROWS, len(x))
    for i in range(n_studies):
        rows = np.concatenate([np.arange(i * N_ROWS, (i + 1) * N_ROWS), fresh])
        whole = dataset_of(cell, x[rows], y[rows], N_ROWS, 0)
        whole.splits["all"] = Part(*(np.concatenate([getattr(p, n) for p in whole.splits.values()]) for n in "xy"))
        yield cell, whole


OWN, NEW = np.arange(N_ROWS), np.arange(N_ROWS, N_ROWS + N_FRESH)


def studies_of(data: str, loss: str, n_studies: int) -> Studies:
    found: list[tuple] = []
    for i, (cell, whole) in enumerate(samples_of(data, loss, n_studies)):
        by_class = cell.task in ("binary", "multiclass")
        seeds = [*range(1000, 1010)]
        trainings: list[Training] = repeated_folds(
            whole.splits["all"].y[OWN], N_FOLDS, 2, seeds, by_class=by_class, first=2 * i
        )
        judged = [
            error(cell, rows_of(whole, t.rows, next(iter(t.parts.values()))), MORE_RATES, t.seed) for t in trainings
        ]
        holdout = rows_of(whole, trainings[0].rows, next(iter(trainings[0].parts.values())))
        truth = [error(cell, rows_of(whole, OWN, NEW), MORE_RATES, seed)[0] for seed in range(N_TRUTH)]
        found.append(
            (
                *(np.transpose([run[k] for run in judged]) for k in (0, 1)),
                *tpe(cell, holdout, i),
                np.mean(truth, axis=0),
            )
        )
        print(f"\r{data} {loss}: study {i + 1}", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return Studies(*(np.array(values) for values in zip(*found, strict=True)))


def with_more_seeds(data: str, studies: Studies, n_seeds: int, unit: float) -> str:
    """Return how many choices are worse than the configured rate by half a unit, over seeds that no truth has."""
    single, lost, n_studies = studies.scaled(0), [], len(studies.truth)
    for i, (cell, whole) in enumerate(samples_of(data, CELLS[data], n_studies)):
        chosen = ours(single, i)
        if chosen == RATES[DEFAULT]:
            lost.append(0.0)
            continue
        rates = np.array([chosen, RATES[DEFAULT]])
        errors = [error(cell, rows_of(whole, OWN, NEW), rates, 100 + seed)[0] for seed in range(n_seeds)]
        mine, configured = np.mean(errors, axis=0)
        lost.append((mine - configured) / unit)
        print(f"\r{data}: study {i + 1}", end="", flush=True, file=sys.stderr)
    worse = np.array(lost) > 0.5
    return (
        f"{data}, with {n_seeds} other seeds: {worse.sum()} of {n_studies} choices are worse than the configured rate "
        f"by 0.5; mean gain {-np.mean(lost):.2f}, greatest loss {max(lost):.2f}"
    )


def kept(folder: Path | None, data: str, loss: str, n_studies: int) -> Studies:
    """Return the trainings, from the folder if they are there; else train, and keep them there."""
    file = folder and folder / f"{data} {loss} {n_studies}.npz"
    if file is None or not file.exists():
        found = studies_of(data, loss, n_studies)
        if file is None:
            return found
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **vars(found))
    with np.load(file) as read:
        return Studies(**{name: read[name] for name in read.files})


# A rule takes the studies and the number of one, and returns the rate that it chooses.
Rule = Callable[[Studies, int], float]


def best_of_tpe(studies: Studies, i: int) -> float:
    return studies.tried[i][np.argmin(studies.held_out[i])]


def best_of_folds(n: int) -> Rule:
    return lambda studies, i: RATES[np.argmin(studies.folds[i][:, :n].mean(axis=1))]


def by_curve(studies: Studies, i: int) -> float:
    return RATES[np.argmin(quadratic(studies.folds[i].mean(axis=1)))]


def quadratic(means: np.ndarray) -> np.ndarray:
    """Return a local quadratic over log rate, with weights of half a decade; means are cut off at their median."""
    x, y = np.log10(RATES), np.minimum(means, np.median(means))
    found = []
    for centre in x:
        root = np.exp(-(((x - centre) / 0.5) ** 2) / 4)
        powers = np.stack([x**0, x - centre, (x - centre) ** 2], axis=1)
        found.append(np.linalg.lstsq(powers * root[:, None], y * root, rcond=None)[0][0])
    return np.array(found)


def by_curve_unless(share: float, test_per_train: float = 0.0) -> Rule:
    """Return the rule that keeps the default unless the curve's choice beats it by a share of a standard error."""

    def rule(studies: Studies, i: int) -> float:
        values = studies.folds[i]
        best = int(np.argmin(quadratic(values.mean(axis=1))))
        gain = values[DEFAULT] - values[best]
        error = gain.std(ddof=1) * (1 / len(gain) + test_per_train) ** 0.5
        return RATES[best if gain.mean() > share * error else DEFAULT]

    return rule


def by_range(keeps: float = 0.0, test_per_train: float = 0.0, averages: bool = False) -> Rule:
    """Return the rule that takes the middle of the rates that do as well as the best.

    Parameters
    ----------
    keeps : float
        The default stays unless the best beats it by this share of a standard error, wherever it lies.
    averages : bool
        Whether the values of rates near each other are averaged.
    """

    def rule(studies: Studies, i: int) -> float:
        values, gaps = choice.averaged(RATES, studies.folds[i]) if averages else studies.folds[i], choice.gaps
        means, errors = gaps(values)
        if keeps and means[DEFAULT] <= keeps * errors[DEFAULT]:
            return RATES[DEFAULT]
        wider = np.array([1.0, (1 + test_per_train * values.shape[1]) ** 0.5])[:, None]
        with (
            patch.object(choice, "gaps", lambda near: wider * gaps(near)),
            patch.object(choice, "averaged", lambda _, values: values),
        ):
            return RATES[choice.choose_rate(RATES, values, studies.dead[i], None).chosen]

    return rule


def ours(studies: Studies, i: int) -> float:
    return RATES[choice.choose_rate(RATES, studies.folds[i], studies.dead[i], DEFAULT).chosen]


RULES: dict[str, Rule] = {
    "the configured rate itself": lambda studies, i: RATES[DEFAULT],
    "one holdout x 5 seeds, 32 trials of TPE, best value": best_of_tpe,
    "5 folds, 17 rates, best value": best_of_folds(5),
    "2 x 5 folds, 17 rates, best value": best_of_folds(10),
    "local quadratic": by_curve,
    "the same, configured rate kept unless beaten by an error": by_curve_unless(1.0),
    "the same, by a corrected error": by_curve_unless(1.0, 0.25),
    "middle of those as good": by_range(),
    "middle of those as good by a corrected error": by_range(0.0, 0.25),
    "middle, configured rate kept unless beaten by an error": by_range(1.0),
    "middle of those as good, rates near each other averaged": by_range(averages=True),
    "lossbench: the same, configured rate kept unless the middle beats it by an error": ours,
}


def truth(studies: Studies, i: int, rate: float) -> float:
    """Return the true error of a rate."""
    return float(np.interp(np.log10(rate), np.log10(RATES), studies.truth[i]))


def row_of(name: str, rule: Rule, whole: Studies, unit: float) -> str:
    """Return the row of a rule: its regret, and how far a loss times a constant differs from the loss itself."""
    studies = whole.scaled(0)
    places = range(len(studies.truth))
    rates = [rule(studies, i) for i in places]
    least, found = studies.truth.min(axis=1), np.array([truth(studies, i, rate) for i, rate in enumerate(rates)])
    at_default = studies.truth[:, DEFAULT]
    lost, worse = (found - least) / unit, np.mean(found > at_default + 0.5 * unit)
    cells = [f"{lost.mean():.2f} ± {1.96 * lost.std(ddof=1) / len(lost) ** 0.5:.2f}", f"{100 * worse:.0f} %"]
    if rule is not best_of_tpe:
        copies = [whole.scaled(shift) for shift in SHIFTS]
        its = np.array([[truth(copy, i, rule(copy, i)) for i in places] for copy in copies])
        bests = np.array([copy.truth.min(axis=1) for copy in copies])
        cells.append(f"{np.mean(its - bests) / unit:.2f}")
        cells += [f"{100 * np.mean(abs(its - found) > limit * unit):.1f} %" for limit in (1.0, 2.0)]
    return f"| {name} | {' | '.join([*cells, *['–'] * (5 - len(cells))])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="a folder for the trainings")
    parser.add_argument("--data", nargs="*", default=list(CELLS), choices=list(CELLS))
    parser.add_argument("--seeds", type=int, help="judge the choices of lossbench's rule again, with so many seeds")
    options = parser.parse_args()
    for data in options.data:
        studies = kept(options.keep, data, CELLS[data], options.studies)
        numbers = studies.truth.min() > 0
        unit = float(np.median(studies.truth.min(axis=1))) / 100 if numbers else 0.01
        if options.seeds:
            print(with_more_seeds(data, studies, options.seeds, unit), flush=True)
            continue
        print(f"\n{data}, {CELLS[data]}: {options.studies} studies; in {'% of the error' if numbers else 'points'}")
        print("| rule | mean regret | worse than the configured by 0.5 | regret, scaled | off by 1 | by 2 |")
        print("|---|---|---|---|---|---|")
        for name, rule in RULES.items():
            print(row_of(name, rule, studies, unit), flush=True)


if __name__ == "__main__":
    main()
