"""Networks as estimators: scikit-learn's own checks, the weights of sweeps, and mistakes."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from support.commands import environment
from support.plans import plan

from lossbench import NetworkClassifier, NetworkRegressor, UsageError
from lossbench.interface import network
from lossbench.interface.arrays import kept
from lossbench.jobs.prepare import PreparedCell
from lossbench.training import compiled
from lossbench.training.compiled import train_compiled

X, Y = make_regression(60, 3, noise=5.0, random_state=0)
X2, Y2 = make_classification(60, 4, random_state=0)
IRIS = load_iris(return_X_y=True)
SMALL = {"epochs": 3, "model": "linear"}
ESTIMATORS = [NetworkRegressor(), NetworkClassifier()]
# Checks that train nothing, or little: the others compile a program each, in about a second.
QUICK = (
    *("check_estimator_cloneable", "check_no_attributes_set_in_init", "check_parameters_default_constructible"),
    *("check_get_params_invariance", "check_set_params", "check_mixin_order", "check_valid_tag_types"),
    *("check_estimators_unfitted", "check_requires_y_none"),
    *("check_estimators_empty_data_messages", "check_complex_data", "check_estimator_sparse_tag", "check_fit1d"),
    *("check_classifiers_one_label", "check_classifiers_regression_target", "check_fit2d_1sample"),
)


def exceptions(estimator) -> dict[str, str]:
    """Return the checks that an estimator does not pass, each with the reason: none."""
    return {}


@pytest.mark.slow
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=exceptions)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_scikit_learns_quick_checks():
    pairs = [pair for estimator in ESTIMATORS for pair in estimator_checks_generator(estimator)]
    quick = [(given, check) for given, check in pairs if check.func.__name__ in QUICK]
    assert {check.func.__name__ for _, check in quick} == set(QUICK)
    for given, check in quick:
        check(given)


def test_a_regressor_learns_in_a_pipeline():
    model = make_pipeline(MinMaxScaler(), NetworkRegressor("huber", epochs=30))
    assert cross_val_score(model, X, Y, cv=3).mean() > 0.9
    fitted = model.fit(X, Y)[-1]
    # Errors are in the targets' own unit.
    last = fitted.curves_.iloc[-1]
    assert last["epoch"] == 30
    assert last["train/rmse"] == pytest.approx(np.sqrt(np.mean((model.predict(X) - Y) ** 2)), rel=1e-5)
    assert fitted.network_.pair.loss == "huber"


def test_a_search_over_losses_and_rates_compiles_a_program_for_each_loss_and_size():
    x, y = IRIS
    before = set(compiled._programs)
    grid = {"loss": ["auto", "categorical_hinge"], "learning_rate": [0.001, 0.01, 0.1]}
    # 150 rows in 3 folds: all trainings but the last have 100.
    search = GridSearchCV(NetworkClassifier(epochs=20), grid, cv=3).fit(x, y)
    assert search.best_score_ > 0.9
    assert len(set(compiled._programs) - before) == 3


def test_texts_are_classes_and_a_second_fit_forgets_the_first():
    model = NetworkClassifier(epochs=20)
    named = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
    assert model.fit(IRIS[0], named).score(IRIS[0], named) > 0.9
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    np.testing.assert_allclose(model.predict_proba(IRIS[0]).sum(axis=1), 1.0)
    model.fit(X2, Y2 == 1)
    assert set(model.predict(X2)) == {False, True}
    assert model.n_features_in_ == 4
    assert model.predict_proba(X2).shape == (60, 2)
    np.testing.assert_array_equal(model.predict_proba(X2)[:, 1] > 0.5, model.decision_function(X2) > 0)


@pytest.mark.parametrize(("loss", "there"), [("auto", True), ("bce", True), ("hinge", False), ("squared_hinge", False)])
def test_only_losses_that_give_probabilities_have_them(loss, there):
    model = NetworkClassifier(loss, **SMALL)
    # Before a training only the loss tells.
    assert hasattr(model, "predict_proba") == there
    assert hasattr(model.fit(X2, Y2), "predict_proba") == there
    assert model.score(X2, Y2) > 0.6


def test_several_targets_are_learned_together():
    x, y = make_regression(60, 3, n_targets=2, noise=1.0, random_state=0)
    model = NetworkRegressor(epochs=30).fit(x, y * [1.0, 100.0])
    assert model.predict(x).shape == (60, 2)
    assert model.score(x, y * [1.0, 100.0]) > 0.9
    labels = MultiOutputClassifier(NetworkClassifier(**SMALL)).fit(x, y > 0)
    assert labels.predict(x).shape == (60, 2)


def test_a_seed_determines_the_network_and_a_pickle_keeps_it():
    model = NetworkRegressor(random_state=3, **SMALL).fit(X, Y)
    again = clone(model).fit(X, Y)
    other = NetworkRegressor(random_state=4, **SMALL).fit(X, Y)
    drawn = [NetworkRegressor(random_state=np.random.RandomState(0), **SMALL).fit(X, Y).predict(X) for _ in "ab"]
    read = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    np.testing.assert_array_equal(model.predict(X), read.predict(X))
    np.testing.assert_array_equal(*drawn)
    assert np.abs(model.predict(X) - other.predict(X)).max() > 0.1


def test_predictions_are_those_of_the_compiled_program():
    fitted = NetworkRegressor(epochs=3).fit(X, Y).network_
    scaled = ((X - fitted.features["center"]) / fitted.features["scale"]).astype(np.float32)
    expected = compiled.predict_compiled(fitted.structure, fitted.weights, scaled)
    np.testing.assert_allclose(fitted.raw(X), expected, atol=1e-5)
    # A row's prediction does not depend on the rows beside it.
    np.testing.assert_array_equal(fitted.raw(X[7:9]), fitted.raw(X)[7:9])


def test_few_programs_are_kept(monkeypatch):
    monkeypatch.setattr(network, "MOST_PROGRAMS", 1)
    monkeypatch.setattr(network, "_used", type(network._used)())
    first = NetworkRegressor(**SMALL).fit(X, Y).network_.structure
    second = NetworkRegressor(**SMALL).fit(X[:-1], Y[:-1]).network_.structure
    assert first not in compiled._programs
    assert second in compiled._programs


def test_an_epoch_is_chosen_by_rows_that_are_not_trained_on():
    settings = {"dataset.split.validation": 0.2, "early_stopping.patience": 2}
    model = NetworkRegressor(epochs=200, learning_rate=0.1, settings=settings).fit(X, Y)
    assert {"validation/rmse", "train/rmse"} < set(model.curves_)
    assert len(model.curves_) < 200


def test_settings_reach_the_training():
    plain = NetworkRegressor("huber", **SMALL).fit(X, Y)
    delta = NetworkRegressor("huber", settings={"loss.delta": 0.1}, **SMALL).fit(X, Y)
    layers = NetworkRegressor(hidden_units=(7, 5), epochs=np.int64(1)).fit(X, Y)
    assert np.abs(plain.predict(X) - delta.predict(X)).max() > 0.1
    assert [weight.shape for weight in layers.network_.weights][::2] == [(3, 7), (7, 5), (5, 1)]


def test_an_application_of_hydras_keeps_its_state():
    state = GlobalHydra.instance()
    mine, state.hydra = object(), state.hydra
    before, state.hydra = state.hydra, mine
    try:
        NetworkRegressor("mae", epochs=1, batch_size=59).fit(X, Y)
        assert GlobalHydra.instance().hydra is mine
    finally:
        GlobalHydra.instance().hydra = before


def test_a_loss_outside_its_domain_is_a_warning():
    positive = np.abs(Y) + 1.0
    with pytest.warns(UserWarning, match="loss=poisson is for targets from 0 up; here they are from -inf to inf"):
        NetworkRegressor("poisson", **SMALL).fit(X, positive)
    # What it says works: an unscaled target is inside.
    settings = {"dataset.standardize.y": "none"}
    NetworkRegressor("poisson", learning_rate=1e-5, settings=settings, **SMALL).fit(X, positive)


def with_missing(x):
    return np.where(x > 1.0, np.nan, x)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        pytest.param(
            lambda: NetworkRegressor("hubber").fit(X, Y),
            "error: unknown loss 'hubber'.\n  hint: did you mean 'huber'? `lossbench-list loss` shows all.",
            id="loss",
        ),
        pytest.param(
            lambda: NetworkRegressor("hinge").fit(X, Y),
            "error: loss=hinge is for binary or multilabel targets; the data set's are regression.\n"
            "  hint: `lossbench-list` shows what goes together.",
            id="task",
        ),
        pytest.param(
            lambda: NetworkRegressor(epochs=0, learning_rate=-1.0).fit(X, Y),
            "error: epochs must be at least 1; got 0.\n"
            "error: optimizer.learning_rate must be above 0 and at most 1e+06; got -1.",
            id="values",
        ),
        pytest.param(
            lambda: NetworkRegressor(settings={"lr": 0.1}).fit(X, Y),
            "error: unknown key 'lr'.\n  hint: did you mean 'optimizer.learning_rate'?",
            id="key",
        ),
        pytest.param(
            lambda: NetworkRegressor(settings={"tune": "learning_rate"}).fit(X, Y),
            "error: tune is no setting of a network on arrays.\n  hint: GridSearchCV over learning_rate= searches one.",
            id="elsewhere",
        ),
        pytest.param(
            lambda: NetworkRegressor("mse", settings={"loss": "mae"}).fit(X, Y),
            "error: a setting is given twice: as loss= and 'loss' in settings.\n  hint: leave one of them out.",
            id="twice",
        ),
        pytest.param(
            lambda: NetworkRegressor(settings="loss=mse").fit(X, Y),
            "error: settings must be a mapping of keys to values; got 'loss=mse'.\n"
            "  hint: settings={'optimizer.momentum': 0.5}",
            id="settings",
        ),
        pytest.param(
            lambda: NetworkRegressor(random_state=-1).fit(X, Y),
            "error: random_state must be an integer from 0, a RandomState or None; got -1.\n"
            "  hint: random_state=0 gives the same network each time.",
            id="seed",
        ),
        pytest.param(
            lambda: NetworkRegressor(learning_rate=1e5, **SMALL).fit(X, Y),
            "error: the training diverged: its loss is not finite after epoch 2.\n"
            "  hint: a learning_rate below 100000, or another loss.",
            id="diverged",
        ),
        pytest.param(
            lambda: NetworkRegressor().fit(with_missing(X), Y),
            "error: Input X contains NaN.\n  hint: SimpleImputer() in a pipeline fills missing values in.",
            id="missing",
        ),
        pytest.param(
            lambda: NetworkClassifier().fit(X, Y),
            "error: Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects discrete "
            "classes on a regression target with continuous values.\n  hint: NetworkRegressor learns numbers.",
            id="numbers",
        ),
        pytest.param(
            lambda: NetworkClassifier().fit(X, ["a"] * len(X)),
            "error: y has one class only, 'a'.\n  hint: a classifier needs rows of at least two classes.",
            id="one class",
        ),
        pytest.param(
            lambda: NetworkClassifier().fit(X, np.stack([Y > 0, Y > 1], axis=1)),
            "error: y should be a 1d array, got an array of shape (60, 2) instead.\n"
            "  hint: MultiOutputClassifier(…) trains a classifier for each label.",
            id="labels",
        ),
    ],
)
def test_a_mistake_is_a_value_error_with_a_hint(fit, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        fit()
    assert str(error.value) == message
    assert isinstance(error.value, UsageError)


def test_an_untrained_network_says_so():
    with pytest.raises(NotFittedError) as error:
        NetworkClassifier().predict(X)
    assert str(error.value) == "error: this NetworkClassifier is not trained.\n  hint: call fit(X, y) first."


# ---- The network that a sweep keeps.


@pytest.mark.parametrize(
    ("estimator", "x", "y", "more"),
    [
        pytest.param(NetworkRegressor("huber", epochs=3), X, Y, [], id="numbers"),
        pytest.param(
            NetworkClassifier("hinge", epochs=9, settings={"select": "best", "dataset.split.validation": 0.2}),
            X2,
            np.array(["no", "yes"])[Y2],
            ["select=best", "dataset.split.validation=0.2"],
            id="classes",
        ),
    ],
)
def test_a_network_is_the_one_that_a_sweep_trains_on_all_rows(estimator, x, y, more, tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    file = [f"dataset.path={kept(x, y)[0]}", "dataset.target=target", "tune=none"]
    (cell,) = plan(*file, f"loss={estimator.loss}", f"epochs={estimator.epochs}", *more).cells
    run = PreparedCell(cell).run(cell.settings.folds.of_all_rows)
    found = estimator.fit(x, y).network_
    # The same program with the same inputs.
    assert found.structure == run.cell.structure
    trained = train_compiled(found.structure, run.data, run.cell.hyperparameters, run.id.training_seed)
    assert all(np.array_equal(a, b) for a, b in zip(found.weights, trained.weights, strict=True))
    curves = run.cell.curves(trained)
    assert all(np.array_equal(estimator.curves_[name], curve) for name, curve in curves.items())


@pytest.mark.slow
def test_a_network_has_the_weights_of_the_one_that_a_sweep_keeps(tmp_path):
    code = """
import sys
import numpy as np
import lossbench
from sklearn.datasets import make_regression

x, y = make_regression(61, 3, noise=5.0, random_state=0)
sweep = lossbench.compare(x, y, ["huber"], tune="none", seeds=1, epochs=3, repeat__folds=2, tracking__enabled=False)
assert "tensorflow" not in sys.modules
(part,) = sweep.folder.glob("*/parts/seed=0.npz")
found = lossbench.NetworkRegressor("huber", epochs=3).fit(x, y).network_.weights
with np.load(part) as kept:
    assert len(found) == sum(name.startswith("weight/") for name in kept) == 4
    assert all((weight == kept[f"weight/{place}"]).all() for place, weight in enumerate(found))
"""
    env = environment(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
