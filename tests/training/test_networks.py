"""Every model, optimizer, schedule and way to stop: the compiled trainer is ``Model.fit``."""

import numpy as np
import pytest
from support.settings import cell_with, shipped
from support.trainings import BCE, MLP, MSE, SGD, assert_close, bits, pair_of, setting

from lossbench.config.settings import group_settings
from lossbench.datasets.loading import Part
from lossbench.planning.command_line import choices_of
from lossbench.training import specification
from lossbench.training.schedules import step_rates
from lossbench.training.specification import Hyperparameters, make_data, make_structure
from lossbench.training.trainers import predict_compiled, train_compiled, train_with_fit

EPOCHS = 5
SELECT = {"select": "best", "early_stopping": {"patience": None, "min_delta": 0.0}}


def both(cell, seed=0):
    ours, theirs = train_compiled(*cell, seed=seed), train_with_fit(*cell, seed=seed)
    assert_close(ours, theirs.weights, theirs.curves)
    assert ours.epochs.tolist() == theirs.epochs.tolist()
    assert ours.selected_epoch == theirs.selected_epoch
    return ours


# ---- Optimizers and schedules.


def slow_but(quick, names):
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", slow_but(("sgd", "adam", "nadam"), choices_of("optimizer")))
def test_compiled_and_fit_trainer_agree_for_every_optimizer(name):
    optimizer = shipped("optimizer", name)
    both(setting(MSE, optimizer=optimizer, epochs=EPOCHS))


@pytest.mark.parametrize(
    "changed",
    [
        {"momentum": 0.0},
        pytest.param({"nesterov": True}, marks=pytest.mark.slow),
        pytest.param({"clipnorm": 0.1}, marks=pytest.mark.slow),
        pytest.param({"clipvalue": 0.01}, marks=pytest.mark.slow),
        {"global_clipnorm": 0.1},
    ],
    ids=str,
)
def test_an_optimizer_setting_changes_the_run_alike_in_both_trainers(changed):
    plain = train_compiled(*setting(MSE, optimizer=SGD, epochs=EPOCHS), seed=0)
    assert bits(both(setting(MSE, optimizer={**SGD, **changed}, epochs=EPOCHS))) != bits(plain)


@pytest.mark.parametrize(
    "schedule",
    [
        shipped("schedule", "constant", warmup_epochs=2),
        shipped("schedule", "cosine", warmup_epochs=1, final=0.1),
        pytest.param(shipped("schedule", "exponential"), marks=pytest.mark.slow),
    ],
    ids=lambda schedule: schedule["name"],
)
def test_compiled_and_fit_trainer_agree_for_every_schedule(schedule):
    cell = setting(MSE, optimizer=shipped("optimizer", "adam", learning_rate=0.01), epochs=EPOCHS, schedule=schedule)
    both(cell)


def test_a_schedule_gives_the_computed_rates():
    """Four steps of warm-up, then from the learning rate to its share at the end."""
    warm = step_rates(
        group_settings("schedule", {"name": "constant", "warmup_epochs": 2}), 0.1, epochs=4, steps_per_epoch=2
    )
    np.testing.assert_allclose(warm, [[0.025, 0.05], [0.075, 0.1], [0.1, 0.1], [0.1, 0.1]])
    cosine = step_rates(
        group_settings("schedule", {"name": "cosine", "warmup_epochs": 0, "final": 0.0}),
        1.0,
        epochs=3,
        steps_per_epoch=1,
    )
    np.testing.assert_allclose(cosine.ravel(), [1.0, 0.5, 0.0], atol=1e-7)
    falling = step_rates(
        group_settings("schedule", {"name": "exponential", "warmup_epochs": 1, "final": 0.01}),
        1.0,
        epochs=4,
        steps_per_epoch=1,
    )
    np.testing.assert_allclose(falling.ravel(), [1.0, 1.0, 0.1, 0.01], rtol=1e-6)


@pytest.mark.slow
def test_a_schedule_does_not_depend_on_how_an_epoch_is_cut_into_calls(monkeypatch):
    options = {"schedule": shipped("schedule", "cosine"), "epochs": 7}
    whole = train_compiled(*setting(MSE, **options), seed=1)
    monkeypatch.setattr(specification, "WORK_PER_CALL", 1)
    in_pieces = setting(MSE, **options)
    assert in_pieces[0].epochs_per_call == 1
    assert bits(train_compiled(*in_pieces, seed=1)) == bits(whole)


# ---- The best epoch, and the end of a run.


def with_validation(made, *, epochs=30, n=60, noise=3.0, optimizer=None, **more):
    """Return a cell that overfits: few noisy samples, a validation split, many epochs."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3 * n, 4)).astype(np.float32)
    signal = x[:, 0] + noise * rng.normal(size=3 * n)
    y = (signal > 0).astype(np.int32) if made.task == "binary" else signal[:, None].astype(np.float32)
    rows = {"train": slice(0, n), "validation": slice(n, 2 * n), "test": slice(2 * n, 3 * n)}
    data = make_data(made, {name: Part(x[r], y[r]) for name, r in rows.items()}, 2 if made.task == "binary" else 0)
    optimizer = optimizer or shipped("optimizer", "adam", learning_rate=0.03)
    cell = {
        "model": {**MLP, "hidden_units": [32]},
        "optimizer": optimizer,
        "loss": {"name": made.loss},
        "batch_size": 16,
        "evaluate_every": 1,
        "epochs": epochs,
        "schedule": shipped("schedule", "constant"),
        **SELECT,
        **more,
    }
    settings = cell_with(**cell)
    hyperparameters = Hyperparameters(optimizer["learning_rate"], {}, epochs, settings.schedule)
    return make_structure(settings, made, data), data, hyperparameters


@pytest.mark.parametrize("made", [BCE, MSE], ids=["higher is better", "lower is better"])
def test_the_weights_of_the_best_epoch_are_kept(made):
    cell = with_validation(made)
    run = both(cell)
    metric = "accuracy" if made is BCE else "rmse"
    curve = run.curves[f"validation/{metric}"]
    best = curve.argmax() if made is BCE else curve.argmin()
    assert run.selected_epoch == run.epochs[best] < 30
    raw = predict_compiled(cell[0], run.weights, cell[1].x["validation"])
    value = specification.main_metric(metric, made, raw, cell[1].target["validation"])
    assert value == pytest.approx(curve[best], rel=1e-5)


def test_early_stopping_really_ends_the_run_and_keeps_the_best_weights():
    patient = {"early_stopping": {"patience": 4, "min_delta": 0.0}}
    cell, unending = with_validation(MSE, **patient), with_validation(MSE)
    run, whole = both(cell), train_compiled(*unending, seed=0)
    assert len(run.epochs) == run.selected_epoch + 4 < len(whole.epochs)
    curve = whole.curves["validation/rmse"]
    assert run.curves["validation/rmse"].tolist() == curve[: len(run.epochs)].tolist()
    assert curve[: len(run.epochs)].argmin() + 1 == run.selected_epoch


def test_a_gain_below_the_least_gain_is_no_improvement():
    demanding = {"early_stopping": {"patience": 3, "min_delta": 1e6}}
    run = both(with_validation(MSE, **demanding))
    assert (run.selected_epoch, len(run.epochs)) == (1, 4)


@pytest.mark.slow
def test_early_stopping_does_not_depend_on_how_a_run_is_cut_into_calls(monkeypatch):
    patient = {"early_stopping": {"patience": 4, "min_delta": 0.0}}
    whole = train_compiled(*with_validation(BCE, **patient), seed=2)
    monkeypatch.setattr(specification, "WORK_PER_CALL", 1)
    in_pieces = train_compiled(*with_validation(BCE, **patient), seed=2)
    assert bits(in_pieces) == bits(whole)
    assert in_pieces.selected_epoch == whole.selected_epoch


# ---- Models.

PICTURES, SLOW = 16, pytest.mark.slow


def pictures(model, epochs=3, **more):
    """Return a cell with pictures of 4 x 4 pixels."""
    made = pair_of("categorical_crossentropy", "softmax", "multiclass")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, PICTURES)).astype(np.float32)
    y = np.digitize(x[:, :4].sum(axis=1), [-1.0, 1.0]).astype(np.int32)
    data = make_data(made, {"train": Part(x[:70], y[:70]), "test": Part(x[70:], y[70:])}, 3)
    cell = {"model": model, "optimizer": SGD, "loss": {"name": made.loss}, "batch_size": 16, "evaluate_every": 1}
    cell |= {"epochs": epochs, "schedule": shipped("schedule", "constant"), **SELECT, "select": "last", **more}
    return make_structure(cell_with(**cell), made, data), data, Hyperparameters(0.01, {}, epochs)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(shipped("model", "mlp", l2=0.01), id="l2"),
        pytest.param(shipped("model", "mlp", batch_normalization=True), id="batch normalization"),
        pytest.param(shipped("model", "linear"), id="linear"),
        pytest.param(shipped("model", "cnn", shape=[4, 4, 1], filters=[4, 4], hidden_units=[8]), id="cnn", marks=SLOW),
        pytest.param(shipped("model", "rnn", shape=[4, 4], units=[6]), id="gru", marks=SLOW),
        pytest.param(
            shipped("model", "rnn", shape=[4, 4], units=[6, 5], cell="lstm"), id="lstm", marks=pytest.mark.slow
        ),
        pytest.param(shipped("model", "rnn", shape=[4, 4], cell="simple"), id="simple", marks=pytest.mark.slow),
    ],
)
def test_compiled_and_fit_trainer_agree_for_every_model(model):
    run = both(pictures(model))
    assert run.curves["train/loss"][-1] < run.curves["train/loss"][0]


@pytest.mark.slow
def test_dropout_follows_the_runs_seed_and_is_off_in_evaluation():
    cell = pictures(shipped("model", "mlp", dropout=0.5))
    runs = [train_compiled(*cell, seed=seed) for seed in (0, 0, 1)]
    assert bits(runs[0]) == bits(runs[1]) != bits(runs[2])
    without = train_compiled(*pictures(shipped("model", "mlp")), seed=0)
    assert bits(runs[0]) != bits(without)
    first, second = (predict_compiled(cell[0], runs[0].weights, cell[1].x["test"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_dropout_in_both_trainers_gives_the_same_mean_result():
    cell = pictures(shipped("model", "mlp", dropout=0.5), epochs=10)
    ours, theirs = (
        np.array([train(*cell, seed=seed).curves["train/loss"][-1] for seed in range(12)])
        for train in (train_compiled, train_with_fit)
    )
    error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / 12)
    assert abs(ours.mean() - theirs.mean()) < 4 * error
    assert 0.3 < ours.std() / theirs.std() < 3


ARCHITECTURES = """
import keras
from keras import layers


class Own(layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 8), initializer="glorot_uniform", name="w")

    def call(self, x):
        return x @ self.w


def wide_and_deep():
    x = keras.Input((16,))
    return keras.Model(x, layers.Concatenate()([x, layers.Dense(8, activation="relu")(x)]))


def residual():
    x = keras.Input((16,))
    y = layers.Dense(16, activation="relu")(x)
    return keras.Model(x, layers.Add()([x, layers.Dense(16)(y)]))


def normalized():
    return keras.Sequential([layers.Dense(8), layers.LayerNormalization(), layers.Activation("gelu")])


def pooled():
    found = [layers.Reshape((4, 4, 1)), layers.Conv2D(4, 3, padding="same"), layers.MaxPooling2D(2, padding="same")]
    return keras.Sequential([*found, keras.Sequential([layers.Conv2D(4, 2, padding="same"), layers.Flatten()])])


def convolution():
    return keras.Sequential(
        [layers.Reshape((4, 4, 1)), layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    )


def separable():
    return keras.Sequential([layers.Reshape((4, 4, 1)), layers.SeparableConv2D(4, 3), layers.Flatten()])


def convolution_in_time():
    return keras.Sequential([layers.Reshape((16, 1)), layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.Flatten()])


def bidirectional():
    return keras.Sequential([layers.Reshape((4, 4)), layers.Bidirectional(layers.LSTM(4))])


def attention():
    x = keras.Input((16,))
    y = layers.Reshape((4, 4))(x)
    y = layers.MultiHeadAttention(num_heads=2, key_dim=4)(y, y)
    return keras.Model(x, layers.GlobalAveragePooling1D()(y))


def gated():
    x = keras.Input((16,))
    y = layers.Multiply()([layers.Dense(8)(x), layers.Dense(8, activation="sigmoid")(x)])
    return keras.Model(x, layers.UnitNormalization()(y))


def own_layer():
    return keras.Sequential([Own(), layers.ReLU()])
"""
ELEVEN = (
    "wide_and_deep", "residual", "normalized", "pooled", "convolution", "separable", "convolution_in_time",
    "bidirectional", "attention", "gated", "own_layer",
)  # fmt: skip


@pytest.mark.parametrize("function", slow_but(("own_layer", "pooled"), ELEVEN))
def test_compiled_and_fit_trainer_agree_for_eleven_ordinary_architectures(function, tmp_path, monkeypatch):
    (tmp_path / "architectures.py").write_text(ARCHITECTURES)
    monkeypatch.syspath_prepend(tmp_path)
    model = shipped("model", "custom", function=f"architectures:{function}")
    cell = pictures(model)
    first, second = both(cell), train_compiled(*cell, seed=1)
    # Another seed starts elsewhere, also where a layer hides its initializer.
    assert bits(first) != bits(second)
    assert bits(train_compiled(*cell, seed=1)) == bits(second)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def body():\n    return 3\n", "must return a Keras model or layer; got 3"),
        (
            "from keras import layers\ndef body():\n    return layers.Reshape((4, 4))\n",
            "it must give",
        ),
        (
            "import keras\ndef body():\n    model = keras.Sequential([keras.layers.Dense(8)])\n"
            "    model.compile('adam', 'mse')\n    return model\n",
            "it returns a model that is compiled",
        ),
        (
            "import keras\ndef body():\n"
            "    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, 'softmax')])\n",
            r"must return the layers below the output layer, .* ends in Dense\(3, softmax\)",
        ),
    ],
)
def test_a_custom_network_that_is_no_valid_body_is_an_error(body, said, tmp_path, monkeypatch):
    name = f"body_{len(body)}"
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=said):
        pictures(shipped("model", "custom", function=f"{name}:body"))
