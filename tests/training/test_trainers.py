"""The promises of the compiled trainer: it is ``Model.fit``, and it is itself bit for bit."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.commands import environment
from support.losses import KERAS_ARGUMENTS, N_CLASSES, PAIRS, named, parameters_of
from support.settings import cell_with
from support.trainings import (
    BATCH,
    BCE,
    EPOCHS,
    MLP,
    MSE,
    N_TEST,
    N_TRAIN,
    SGD,
    assert_close,
    bits,
    pair_of,
    setting,
    splits,
)

from lossbench.config.settings import CompositeLossSettings, HeadSettings, ScheduleSettings, group_settings
from lossbench.ground.seeds import batch_orders
from lossbench.losses.choice import chosen_pair, parameter_values
from lossbench.losses.heads import ENCODINGS, HEADS
from lossbench.losses.pairing import LOSSES
from lossbench.training import compiled, specification
from lossbench.training.networks import build_model, build_optimizer, initial_weights
from lossbench.training.specification import Data, Hyperparameters, StoppedError, main_metric, make_data, make_structure
from lossbench.training.trainers import predict_compiled, predict_with_fit, train_compiled, train_with_fit

CONSTANT = ScheduleSettings(name="constant", warmup_epochs=0)
NEVER = {"patience": None, "min_delta": 0.0}
ADAM = {"name": "adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}


def plain_keras(made, structure, data, hyperparameters, seed):
    """Train as a tutorial does: Keras's own loss class on the activated output, batch by batch, evaluated after."""
    model = structure.build()
    model.set_weights(initial_weights(model, seed, structure.rebuild))
    # Integers where the loss asks for them; the order is fed batch by batch.
    row = LOSSES[made.loss]
    encoding = "integer" if "sparse" in made.loss else made.encoding
    y = {name: ENCODINGS[encoding].encode(target, N_CLASSES[made.task]) for name, target in data.target.items()}
    full = keras.Sequential([model, keras.layers.Activation(HEADS[made.head].activation)])
    optimizer = json.loads(structure.optimizer) | {"learning_rate": hyperparameters.learning_rate}
    loss = getattr(keras.losses, row.keras)(**KERAS_ARGUMENTS.get(made.loss, lambda p: {})(parameters_of(made)))
    if made.loss == "generalized_crossentropy":
        y = data.target
    full.compile(optimizer=build_optimizer(optimizer), loss=loss)
    losses = {"train/loss": [], "test/loss": []}

    def evaluate(epoch, logs):
        for split in ("train", "test"):
            losses[f"{split}/loss"].append(float(loss(y[split], full(data.x[split], training=False))))

    rows = [
        order[i : i + BATCH]
        for order in batch_orders(seed, N_TRAIN, hyperparameters.epochs)
        for i in range(0, N_TRAIN, BATCH)
    ]
    full.fit(
        ((data.x["train"][r], y["train"][r]) for r in rows),
        epochs=hyperparameters.epochs,
        steps_per_epoch=-(-N_TRAIN // BATCH),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=evaluate)],
        shuffle=False,
        verbose=0,
    )
    return model.get_weights(), losses


CANONICAL = [p for p in PAIRS if LOSSES[p.loss].heads.get(p.task) == p.head]
# Each head with one loss; the losses have their turn with their own heads.
ONE_A_HEAD = list({p.head: p for p in reversed(PAIRS)}.values())
# The tutorial's functions, one with parameters, one of each other kind; the others have their turn in the slow tests.
QUICK = (
    *("mean_squared_error", "mean_squared_logarithmic_error", "mean_absolute_error", "huber"),
    *("binary_crossentropy", "hinge", "squared_hinge", "dice", "categorical_crossentropy", "poly1_crossentropy"),
)


def quick(pairs):
    """Return the pairs, marked slow but for each quick loss with its first task, and each head once."""
    first = [p for p in CANONICAL if p.loss in QUICK and p.task == next(iter(LOSSES[p.loss].heads))]
    return [p if p in [*first, *ONE_A_HEAD] else pytest.param(p, marks=pytest.mark.slow) for p in pairs]


@pytest.mark.parametrize("made", quick(p for p in CANONICAL if LOSSES[p.loss].keras), ids=named)
def test_training_each_loss_with_sgd_equals_a_plain_keras_loop(made):
    structure, data, hyperparameters = setting(made, loss=parameters_of(made))
    ours = train_compiled(structure, data, hyperparameters, seed=3)
    weights, losses = plain_keras(made, structure, data, hyperparameters, seed=3)
    assert_close(ours, weights, losses)


@pytest.mark.parametrize("made", quick([*(p for p in CANONICAL if not LOSSES[p.loss].keras), *ONE_A_HEAD]), ids=named)
def test_compiled_and_fit_trainer_agree_for_every_further_loss_and_head(made):
    parameters = parameters_of(made)
    structure, data, hyperparameters = setting(made, loss=parameters)
    ours = train_compiled(structure, data, hyperparameters, seed=1)
    theirs = train_with_fit(structure, data, hyperparameters, seed=1)
    assert_close(ours, theirs.weights, theirs.curves)
    assert ours.epochs.tolist() == theirs.epochs.tolist() == list(range(1, EPOCHS + 1))


def test_compiled_and_fit_trainer_agree_for_a_weighted_sum_and_its_terms():
    terms = {"huber": {"weight": 0.7, "delta": 0.5}, "log_cosh": {"weight": 0.3}}
    settings = CompositeLossSettings(name="composite", terms=terms)
    made = chosen_pair(settings, HeadSettings(name="linear", encoding="auto"), "regression", 1)
    data = make_data(made, splits("regression"), 0)
    cell = cell_with(model=MLP, optimizer=SGD, loss=settings, batch_size=BATCH)
    structure = make_structure(cell, made, data)
    hyperparameters = Hyperparameters(0.01, parameter_values(settings), 5, CONSTANT)
    ours = train_compiled(structure, data, hyperparameters, seed=1)
    theirs = train_with_fit(structure, data, hyperparameters, seed=1)
    assert_close(ours, theirs.weights, theirs.curves)
    total = 0.7 * ours.curves["train/loss_huber"] + 0.3 * ours.curves["train/loss_log_cosh"]
    np.testing.assert_allclose(ours.curves["train/loss"], total, rtol=1e-5)


def test_costs_of_confusions_are_an_input_of_the_program():
    made = pair_of("expected_cost", "softmax", "multiclass")
    parts = splits("multiclass")
    trained = []
    for missed in (1.0, 20.0):
        costs = [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [missed, missed, 0.0]]
        structure, data, hyperparameters = setting(made, loss={"costs": costs})
        trained.append((structure, train_compiled(structure, data, hyperparameters, seed=0)))
    assert trained[0][0] == trained[1][0]
    decided = [predict_compiled(structure, run.weights, parts["test"].x).argmax(axis=1) for structure, run in trained]
    # Missing class 2 at twenty times the cost: it is decided for more often.
    assert (decided[1] == 2).sum() > (decided[0] == 2).sum()


def test_curves_are_those_of_the_final_weights():
    structure, data, hyperparameters = setting(BCE)
    trained = train_compiled(structure, data, hyperparameters, seed=0)
    raw = predict_compiled(structure, trained.weights, data.x["test"])
    assert raw.shape == (N_TEST, 1)
    assert trained.curves["test/accuracy"][-1] == pytest.approx(main_metric("accuracy", BCE, raw, data.target["test"]))


# ---- Itself, bit for bit.


@pytest.fixture(scope="module")
def alone():
    """Each of 30 seeds, trained alone and in order."""
    cell = setting(BCE)
    return cell, {seed: bits(train_compiled(*cell, seed=seed)) for seed in range(30)}


@pytest.mark.parametrize("n_seeds", [5, 30])
def test_a_run_has_the_same_bits_among_other_seeds_in_any_order_on_any_thread(alone, n_seeds):
    cell, expected = alone
    order = np.random.default_rng(n_seeds).permutation(n_seeds)
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(order, pool.map(lambda seed: bits(train_compiled(*cell, seed=int(seed))), order), strict=True))
    assert all(found[seed] == expected[seed] for seed in range(n_seeds))


def test_a_run_has_the_same_bits_beside_a_run_that_diverges(alone):
    cell, expected = alone
    structure, data, _ = cell
    wild = Hyperparameters(1e6, {}, EPOCHS)
    unbounded = setting(MSE)
    with ThreadPoolExecutor(2) as pool:
        diverging = [pool.submit(train_compiled, unbounded[0], unbounded[1], wild, seed) for seed in range(4)]
        beside = [pool.submit(train_compiled, *cell, seed) for seed in range(4)]
        assert all(future.result().diverged_epoch for future in diverging)
        assert [bits(future.result()) for future in beside] == [expected[seed] for seed in range(4)]
    assert bits(train_compiled(structure, data, cell[2], 0)) == expected[0]


def test_a_run_has_the_same_bits_in_another_process(alone, tmp_path):
    _, expected = alone
    code = (
        "from support.trainings import BCE, bits, setting; from lossbench.training.trainers import train_compiled;"
        "print([bits(train_compiled(*setting(BCE), seed=s)) for s in (2, 0)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="tests", env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([expected[2], expected[0]])


def test_different_seeds_give_different_runs_and_0_is_a_seed(alone):
    _, expected = alone
    assert len(set(expected.values())) == 30


def test_the_same_seed_with_another_loss_starts_from_the_same_weights_and_order():
    hinge = pair_of("hinge", "tanh", "binary")
    structures = [setting(made)[0] for made in (BCE, hinge)]
    models = [structure.build() for structure in structures]
    first, second = (initial_weights(m, 7, s.rebuild) for m, s in zip(models, structures, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], initial_weights(models[0], 8, structures[0].rebuild)[0])
    same = [np.array_equal(a, b) for a, b in zip(batch_orders(7, 50, 3), batch_orders(7, 50, 9), strict=False)]
    assert same == [True, True, True]


def test_initial_weights_follow_the_layers_initializers():
    model = build_model(group_settings("model", {**MLP, "hidden_units": [1000]}), 6, 500)
    hidden, hidden_bias, output, output_bias = initial_weights(model, 0, lambda seed: [])
    # Uniform within sqrt(6 / inputs) for He, sqrt(6 / (inputs + outputs)) for Glorot.
    for kernel, limit in ((hidden, (6 / 6) ** 0.5), (output, (6 / 1500) ** 0.5)):
        assert 0.99 * limit < np.abs(kernel).max() <= limit
        assert abs(kernel.mean()) < 0.05 * limit
    assert not hidden_bias.any()
    assert not output_bias.any()
    scaled = initial_weights(
        build_model(
            group_settings("model", {**MLP, "hidden_units": [1000], "initializer_scale": 2.0, "output_scale": 3.0}),
            6,
            500,
        ),
        0,
        lambda seed: [],
    )
    np.testing.assert_allclose(scaled[0], 2.0 * hidden, rtol=1e-6)
    np.testing.assert_allclose(scaled[2], 3.0 * output, rtol=1e-6)


def test_different_codings_of_one_loss_give_the_same_run():
    runs = [
        bits(train_compiled(*setting(pair_of(loss, "softmax", "multiclass")), seed=2))
        for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
    ]
    assert len(set(runs)) == 1


def test_a_loss_with_parameter_trains_as_keras_does():
    made = pair_of("categorical_crossentropy", "softmax", "multiclass")
    structure, data, hyperparameters = setting(made, loss={"label_smoothing": 0.2})
    ours = train_compiled(structure, data, hyperparameters, seed=0)
    theirs = train_with_fit(structure, data, hyperparameters, seed=0)
    assert_close(ours, theirs.weights, theirs.curves)
    assert bits(ours) != bits(train_compiled(structure, data, Hyperparameters(0.01, {}, EPOCHS), seed=0))


# ---- Compiled once.

COMPILE_ONCE = """
import os, sys
os.environ["TF_XLA_FLAGS"] = "--tf_xla_persistent_cache_directory=" + sys.argv[1]
from dataclasses import replace
from lossbench.training import compiled
from lossbench.training.trainers import train_compiled
from support.trainings import SGD, pair_of, setting
made = pair_of("binary_crossentropy", "sigmoid", "binary")
structure, data, h = setting(made)
train_compiled(structure, data, h, 0)
before = len(os.listdir(sys.argv[1]))
for seed in range(3):
    train_compiled(structure, data, h, seed)
train_compiled(structure, data, replace(h, learning_rate=0.3), 0)
train_compiled(structure, data, replace(h, loss={"label_smoothing": 0.1}), 0)
other = setting(made, data_seed=9, optimizer={**SGD, "learning_rate": 0.2}, loss={"label_smoothing": 0.3})
train_compiled(*other, 5)
print(before, len(os.listdir(sys.argv[1])), len(compiled._programs), compiled.program_for(structure).n_traces)
"""


def test_another_seed_learning_rate_loss_parameter_or_data_of_the_shape_compiles_nothing(tmp_path):
    """XLA writes a file for each compilation: there is one, and no second one comes."""
    done = subprocess.run(
        [sys.executable, "-c", COMPILE_ONCE, str(tmp_path)],
        cwd="tests",
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    before, after, programs, traces = map(int, done.stdout.split())
    assert before >= 1
    assert (after, programs, traces) == (before, 1, 1)


# ---- What happens on the way.


def test_chunks_of_epochs_change_nothing_but_when_it_can_stop(monkeypatch):
    whole = setting(BCE, epochs=7)
    monkeypatch.setattr(specification, "WORK_PER_CALL", 3 * N_TRAIN * (5 * 8 + 9))
    parts = setting(BCE, epochs=7)
    assert parts[0].epochs_per_call == 3
    a, b = train_compiled(*whole, seed=0), train_compiled(*parts, seed=0)
    assert a.epochs.tolist() == b.epochs.tolist() == list(range(1, 8))
    assert_close(a, b.weights, b.curves)
    asked = iter([False, True])
    with pytest.raises(StoppedError):
        train_compiled(*parts, seed=0, stopped=lambda: next(asked))


def test_evaluating_every_few_epochs_includes_the_last_epoch():
    trained = train_compiled(*setting(BCE, epochs=8, evaluate_every=3), seed=0)
    every = train_compiled(*setting(BCE, epochs=8), seed=0)
    assert trained.epochs.tolist() == [3, 6, 8]
    np.testing.assert_allclose(trained.curves["test/loss"], every.curves["test/loss"][[2, 5, 7]], atol=1e-6)


def test_a_diverged_run_stops_and_names_its_epoch():
    structure, data, _ = setting(MSE)
    for train in (train_compiled, train_with_fit):
        trained = train(structure, data, Hyperparameters(1e4, {}, EPOCHS), 0)
        assert 0 < trained.diverged_epoch == trained.epochs[-1] < EPOCHS
        assert not np.isfinite(trained.curves["train/loss"][-1])
        assert np.isfinite(trained.curves["train/loss"][:-1]).all()


def test_evaluation_in_batches_equals_evaluation_of_the_whole_split(monkeypatch):
    whole = train_compiled(*setting(BCE, epochs=3), seed=0)
    # 100 and 60 samples in batches of 40: full ones and a rest. Another number of epochs makes another program.
    monkeypatch.setattr(specification, "EVALUATION_BATCH", 40)
    monkeypatch.setattr(compiled, "_programs", {})
    batched = train_compiled(*setting(BCE, epochs=3), seed=0)
    assert_close(batched, whole.weights, whole.curves)
    structure, data, _ = setting(BCE, epochs=3)
    predicted = predict_compiled(structure, batched.weights, data.x["train"])
    plain = predict_with_fit(structure, batched.weights, data.x["train"])
    np.testing.assert_allclose(predicted, plain, atol=1e-6)


def test_a_batch_size_above_the_split_trains_on_the_whole_split():
    structure, data, hyperparameters = setting(BCE, epochs=3, n_train=20)
    ours = train_compiled(structure, data, hyperparameters, seed=0)
    theirs = train_with_fit(structure, data, hyperparameters, seed=0)
    assert_close(ours, theirs.weights, theirs.curves)


def test_a_network_saturated_on_the_wrong_side_still_learns():
    """From raw predictions of -40 for the wrong class, one small step must lower the loss."""
    x = tf.ones((4, 1))
    for made, start in ((BCE, [[-40.0]]), (pair_of("kl_divergence", "softmax", "multiclass"), [[-40.0, 40.0, 0.0]])):
        n = len(start[0])
        y = np.ones((4, 1), np.float32) if n == 1 else np.eye(3, dtype=np.float32)[[0, 0, 0, 0]]
        data = Data({"train": x.numpy()}, {"train": y}, {"train": np.full(4, int(n == 1), np.int32)})
        optimizer = {**SGD, "momentum": 0.0}
        settings = cell_with(
            model={"name": "linear"}, optimizer=optimizer, loss={"name": made.loss}, batch_size=4, epochs=1
        )
        program = compiled.program_for(make_structure(settings, made, data))
        program_start = [np.zeros((1, n), np.float32), np.array(start[0], np.float32)]
        trained = program.train_from(program_start, batch_orders(0, 4, 1), data, Hyperparameters(1.0, {}, 1))
        np.testing.assert_allclose(
            trained.weights[1], np.array(start[0]) + ([1.0] if n == 1 else [1.0, -1.0, 0.0]), atol=1e-6
        )
