"""One contract over every loss: a new one needs a row in the table and, where it has one, a perfect prediction."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize_scalar
from sklearn.metrics import hinge_loss
from support.losses import KERAS_ARGUMENTS, N_CLASSES, PAIRS, encoded, named, parameters_of, targets

from lossbench.config.paths import conf_folder
from lossbench.config.settings import COMPOSITE, CUSTOM, CompositeLossSettings, HeadSettings
from lossbench.ground.loading_functions import load_function
from lossbench.losses.choice import chosen_pair, parameter_values
from lossbench.losses.functions import loss_parameters, per_sample_loss, term_losses
from lossbench.losses.heads import ENCODINGS, HEADS
from lossbench.losses.pairing import ALIASES, BASELINES, LOSSES, fitting_heads, losses_for, pair
from lossbench.metrics.reference_predictors import STATISTICS, constant_raw_prediction
from lossbench.training import specification


def each(pairs):
    return pytest.mark.parametrize("made", pairs, ids=named)


each_pair = each(PAIRS)


def n_raw(made):
    return encoded(made, targets(made)).shape[1] * len(HEADS[made.head].statistics)


def loss_of(made):
    function, parameters = per_sample_loss(made, HEADS[made.head].activation), parameters_of(made)

    def of(y, raw):
        given = {name: tf.constant(value, y.dtype) for name, value in parameters.items()}
        return function(tf.constant(y), tf.convert_to_tensor(raw), **given)

    return of


# Losses that are not 0 at a perfect prediction.
NEVER_ZERO = ("poisson", "exponential", "gaussian_nll", "cosine_similarity")
# Losses that are below 0 somewhere.
SIGNED = ("poisson", "gaussian_nll", "cosine_similarity")
# What they predict is no number that a search along a line can find.
WITHOUT_A_VALUE = ("gaussian_nll", "cosine_similarity")


@each_pair
def test_a_loss_has_a_finite_value_and_gradient_for_each_sample_even_when_saturated(made):
    y = encoded(made, targets(made))
    # What an exponential head gives is beyond float32 at 500; that the loss is not is the stable form's promise.
    last = 40.0 if made.head == "exponential" and not made.on_raw else 500.0
    for scale in (0.0, 1.0, 40.0, last):
        raw = tf.constant(scale * np.random.default_rng(1).choice([-1.0, 1.0], size=(12, n_raw(made))), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(raw)
            value = loss_of(made)(y, raw)
        assert value.shape == (12,)
        assert np.isfinite(value).all()
        assert made.loss in SIGNED or (value.numpy() >= -1e-6).all()
        assert np.isfinite(tape.gradient(value, raw)).all()


def costs_the_targets_own_entropy(made):
    """Cross-entropies of shares are least, not 0, at a perfect prediction."""
    return made.task == "shares" and "crossentropy" in made.loss


@each([p for p in PAIRS if p.loss not in NEVER_ZERO and not costs_the_targets_own_entropy(p)])
def test_a_perfect_prediction_costs_nothing(made):
    y = encoded(made, targets(made))
    if made.task in ("regression", "shares"):
        # A target of 0 is at the end of an open range: nearly reached.
        raw = HEADS[made.head].invert(y.astype(np.float64))
    elif made.head == "linear":
        raw = y
    elif made.head == "softmax":
        raw = 1000.0 * y
    else:
        raw = 1000.0 * (y if made.encoding == "signed" else 2 * y - 1)
    np.testing.assert_allclose(loss_of(made)(y, np.float32(raw)), 0, atol=2e-5 if "percentage" in made.loss else 1e-6)


@each_pair
def test_the_gradient_of_a_loss_equals_a_finite_difference(made):
    function = loss_of(made)
    y = np.asarray(encoded(made, targets(made)), np.float64)
    raw = tf.constant(np.random.default_rng(2).normal(size=(12, n_raw(made))) + 0.37, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        total = tf.reduce_sum(function(y, raw))
    gradient = tape.gradient(total, raw).numpy()
    step = 1e-6
    for i in np.ndindex(*raw.shape):
        move = np.zeros(raw.shape)
        move[i] = step
        difference = (tf.reduce_sum(function(y, raw + move)) - tf.reduce_sum(function(y, raw - move))) / (2 * step)
        np.testing.assert_allclose(gradient[i], difference, rtol=1e-5, atol=1e-7)


@each([p for p in PAIRS if LOSSES[p.loss].keras])
def test_the_value_of_a_loss_equals_keras_s(made):
    row = LOSSES[made.loss]
    y = targets(made)
    raw = np.random.default_rng(3).normal(size=(12, n_raw(made))).astype(np.float32)
    prediction = HEADS[made.head].activate(raw.astype(np.float64)).astype(np.float32)
    # What Keras's class is given is what its documentation asks for, whatever encoding our kernel takes.
    keras_encoding = "integer" if "sparse" in made.loss else made.encoding
    keras_y = ENCODINGS[keras_encoding].encode(y, N_CLASSES[made.task])
    if made.loss == "generalized_crossentropy":
        keras_y = y
    given = KERAS_ARGUMENTS.get(made.loss, lambda p: {})(parameters_of(made))
    expected = getattr(keras.losses, row.keras)(reduction="none", **given)(keras_y, prediction)
    expected = np.broadcast_to(expected, (12,)) if row.whole_batch else expected
    np.testing.assert_allclose(loss_of(made)(encoded(made, y), raw), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [n for n in losses_for("regression") if n not in WITHOUT_A_VALUE])
def test_the_best_constant_is_the_statistic_that_the_table_names(name):
    """A minimiser of SciPy's finds the statistic; where it has no formula, our search finds no worse."""
    row = LOSSES[name]
    y = np.random.default_rng(4).gamma(2.0, size=(101, 1))
    made = pair(row, HEADS["linear" if "linear" in fitting_heads(row, "regression") else "exponential"], "regression")
    of_constant = specification.mean_loss(made, y, 0, parameters_of(made))
    best = minimize_scalar(
        lambda p: of_constant(HEADS[made.head].invert(np.array([[p]]))),
        bounds=(0, 10),
        method="bounded",
        options={"xatol": 1e-9},
    )
    raw = constant_raw_prediction(made, y, 0, parameters_of(made), of_constant)
    if row.statistic in STATISTICS:
        np.testing.assert_allclose(HEADS[made.head].activate(raw)[0], best.x, atol=1e-4)
    assert of_constant(raw) <= best.fun + 1e-6


@each([p for p in PAIRS if p.task != "regression" or p.loss in WITHOUT_A_VALUE])
def test_no_constant_beats_the_statistic(made):
    y = np.array([0] * 7 + [1] * 4 + ([2] * 3 if made.task == "multiclass" else []), np.int32)
    if made.task not in ("binary", "multiclass"):
        y = targets(made, n=11)
    assert_no_constant_is_better(made, y)


@pytest.mark.parametrize("counts", [(4, 6, 3), (3, 8, 3)], ids=["no majority", "a majority"])
@each([p for p in PAIRS if p.task == "multiclass"])
def test_no_constant_beats_the_statistic_with_or_without_a_majority(made, counts):
    assert_no_constant_is_better(made, np.repeat(np.arange(3, dtype=np.int32), counts))


def assert_no_constant_is_better(made, y):
    code = encoded(made, y)
    loss = loss_of(made)
    parameters = parameters_of(made)
    of_constant = specification.mean_loss(made, y, N_CLASSES[made.task], parameters)
    best_raw = constant_raw_prediction(made, y, N_CLASSES[made.task], parameters, of_constant).astype(np.float32)
    best = float(np.mean(loss(code, np.repeat(best_raw, len(y), axis=0))))
    rng = np.random.default_rng(5)
    for scale in (0.1, 1.0, 5.0):
        for _ in range(30):
            other = best_raw + scale * rng.normal(size=best_raw.shape).astype(np.float32)
            assert float(np.mean(loss(code, np.repeat(other, len(y), axis=0)))) >= best - 2e-4


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "value"),
    [
        # Published beside explanations of each loss; every one can be done by hand.
        ("categorical_crossentropy", [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]], 1.176939),
        ("binary_crossentropy", [[0], [1]], [[0.4], [0.6]], 0.5108254),
        ("mean_absolute_error", [[0], [0]], [[1], [1]], 1.0),
        ("mean_squared_error", [[0], [1]], [[1], [1]], 0.5),
        ("hinge", [[1], [-1]], [[0.5], [0.5]], ((1 - 0.5) + (1 + 0.5)) / 2),
        ("squared_hinge", [[1], [-1]], [[0.5], [0.5]], ((1 - 0.5) ** 2 + (1 + 0.5) ** 2) / 2),
        ("mean_squared_logarithmic_error", [[np.e - 1]], [[0]], (1 - 0) ** 2),
        ("kl_divergence", [[0.5, 0.5]], [[0.25, 0.75]], 0.5 * np.log(2) + 0.5 * np.log(2 / 3)),
        ("sparse_categorical_crossentropy", [[1]], [[0.5, 0.25, 0.25]], 2 * np.log(2)),
        ("huber", [[0], [1]], [[0.6], [0.4]], 0.18),
        (
            "half_squared_error",
            [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]],
            [[0.1, 0.05, 0.6, 0, 0.05, 0.1, 0, 0.1, 0, 0]],
            0.0975,
        ),
        ("exponential", [[1], [-1]], [[2], [2]], (np.exp(-2) + np.exp(2)) / 2),
        ("log_cosh", [[0]], [[100]], 100 - np.log(2)),
        ("tukey", [[0]], [[100]], 4.685**2 / 6),
        ("cosine_similarity", [[0, 1], [1, 1], [1, 1]], [[1, 0], [1, 1], [-1, -1]], (0 - 1 + 1) / 3),
        # Two hits, one false positive of weight 0.3, one false negative of weight 0.7.
        ("tversky", [[1], [1], [0], [1]], [[1], [1], [1], [0]], 1 - 2 / (2 + 0.3 + 0.7)),
        ("dice", [[1], [1], [0], [1]], [[1], [1], [1], [0]], 1 - 2 * 2 / (3 + 3)),
        # Keras's has a 0 in the inner maximum; Crammer and Singer's loss has not.
        ("categorical_hinge", [[1, 0, 0]], [[-0.5, -3, -2]], 1 + 0.5 + max(0, -3, -2)),
        ("multiclass_hinge", [[1, 0, 0]], [[-0.5, -3, -2]], max(0, 1 + 0.5 + max(-3, -2))),
        ("multiclass_hinge", [[1, 0, 0]], [[0.5, 0.25, 1]], 1 - 0.5 + max(0.25, 1)),
    ],
)
def test_published_values(loss, y_true, y_pred, value):
    function = load_function(LOSSES[loss].function)
    losses = function(tf.constant(y_true, tf.float32), tf.constant(y_pred, tf.float32))
    np.testing.assert_allclose(np.mean(losses), value, rtol=1e-5)


def of_name(loss, y_true, y_pred, **parameters):
    return load_function(LOSSES[loss].function)(tf.constant(y_true), tf.constant(y_pred), **parameters)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(
    ("loss", "parameters", "same", "its_parameters", "factor"),
    [
        ("expectile", {"level": 0.5}, "mean_squared_error", {}, 0.5),
        ("pinball", {"quantile": 0.5}, "mean_absolute_error", {}, 0.5),
        ("half_squared_error", {}, "mean_squared_error", {}, 0.5),
        ("barron", {"alpha": 2.0, "scale": 0.7}, "mean_squared_error", {}, 0.5),
        # At its default alpha.
        ("barron", {"scale": 0.7}, "charbonnier", {"scale": 0.7}, 1.0),
        ("barron", {"alpha": 0.0, "scale": 0.7}, "cauchy", {"scale": 0.7 * np.sqrt(2)}, 1.0),
    ],
)
def test_losses_that_are_others_at_some_setting(loss, parameters, same, its_parameters, factor, scale):
    y_true, error = np.random.default_rng(7).normal(size=(2, 50, 1))
    y_pred = y_true + scale * error
    expected = factor * of_name(same, y_true, y_pred, **its_parameters).numpy()
    np.testing.assert_allclose(of_name(loss, y_true, y_pred, **parameters), expected, rtol=1e-12, atol=1e-15)


def test_the_shipped_alpha_of_barron_makes_it_charbonnier():
    made = pair(LOSSES["barron"], HEADS["linear"], "regression")
    assert parameters_of(made) == {"alpha": 1.0, "scale": parameters_of(made)["scale"]}
    assert dict(loss_parameters(made, 1))["alpha"] == 1.0


def test_multiclass_hinge_is_that_of_scikit_learn():
    rng = np.random.default_rng(8)
    y, score = np.arange(60) % 4, rng.normal(scale=2.0, size=(60, 4))
    value = np.mean(of_name("multiclass_hinge", np.eye(4)[y], score))
    np.testing.assert_allclose(value, hinge_loss(y, score), rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_other_classes_that_are_equally_good_share_the_gradient_of_multiclass_hinge(compiled):
    made = pair(LOSSES["multiclass_hinge"], HEADS["linear"], "multiclass")
    # All equal, the true class right at the margin, and beyond it.
    y, raw = np.float32([[1, 0, 0]] * 3), np.float32([[0, 0, 0], [1, 0, 0], [2, 0, 0]])
    function = tf.function(lambda: value_and_gradient(made, y, raw), jit_compile=True, autograph=False)
    value, gradient = function() if compiled else value_and_gradient(made, y, raw)
    np.testing.assert_array_equal(value, [1, 0, 0])
    np.testing.assert_array_equal(gradient[0], [-1, 0.5, 0.5])
    np.testing.assert_array_equal(gradient[2], [0, 0, 0])
    assert np.isfinite(gradient[1]).all()


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_prediction_saturated_on_the_wrong_side_has_the_exact_loss_and_gradient(sign):
    """At z = 40 on the wrong side, log(1 + exp(40)) is 40 and its derivative 1, in float32 too."""
    made = pair(LOSSES["binary_crossentropy"], HEADS["sigmoid"], "binary")
    value, gradient = value_and_gradient(made, [[0.0 if sign > 0 else 1.0]], [[40.0 * sign]])
    np.testing.assert_allclose(value, [40.0])
    np.testing.assert_allclose(gradient, [[sign]])
    for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence"):
        made = pair(LOSSES[loss], HEADS["softmax"], "multiclass")
        value, gradient = value_and_gradient(made, [[1.0, 0.0, 0.0]], [[-40.0 * sign, 40.0 * sign, 0.0]])
        right = 80.0 if sign > 0 else 0.0
        np.testing.assert_allclose(value, [right], atol=1e-6)
        np.testing.assert_allclose(gradient, [[-1.0, 1.0, 0.0]] if sign > 0 else [[0.0, 0.0, 0.0]], atol=1e-6)


def value_and_gradient(made, y, raw):
    raw = tf.constant(raw)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        value = per_sample_loss(made, HEADS[made.head].activation)(tf.constant(y), raw)
    return value, tape.gradient(value, raw)


@pytest.mark.parametrize(
    ("loss", "head"), [("binary_crossentropy", "sigmoid"), ("categorical_crossentropy", "softmax")]
)
def test_label_smoothing_equals_keras_s_and_may_be_a_tensor(loss, head):
    task = "binary" if head == "sigmoid" else "multiclass"
    made = pair(LOSSES[loss], HEADS[head], task)
    y, raw = encoded(made, targets(made)), np.random.default_rng(6).normal(size=(12, n_raw(made)))
    expected = getattr(keras.losses, LOSSES[loss].keras)(label_smoothing=0.2, reduction="none", from_logits=True)(
        y, raw
    )
    ours = per_sample_loss(made, head)(tf.constant(y), tf.constant(raw, tf.float32), label_smoothing=tf.constant(0.2))
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    prediction = HEADS[head].activate(raw).astype(np.float32)
    plain = load_function(LOSSES[loss].function)(
        tf.constant(y), tf.constant(prediction), label_smoothing=tf.constant(0.2)
    )
    np.testing.assert_allclose(plain, expected, rtol=1e-5)


def test_every_row_of_the_catalogue_is_complete_and_every_name_unique():
    for row in LOSSES.values():
        assert row.formula, row.name
        assert row.meaning.endswith(".")
        assert row.name == CUSTOM or any(
            mark in row.source for mark in ("doi:", "arXiv:", "openreview", "jmlr.org", "dl.acm.org")
        )
        assert set(row.heads) <= set(row.encodings)
        assert (conf_folder() / "loss" / f"{row.name}.yaml").exists()
        for task, head in row.heads.items():
            made = pair(row, HEADS[head], task)
            assert {p.name for p in row.parameters} <= {name for name, _ in loss_parameters(made, 3)}
    assert not set(ALIASES) & set(LOSSES)
    assert all(baseline in losses_for(task) for task, baseline in BASELINES.items())


def test_an_impossible_pair_of_loss_and_head_is_an_error_with_the_reason():
    with pytest.raises(ValueError, match="is for binary or multilabel targets; the data set's are regression"):
        pair(LOSSES["hinge"], HEADS["tanh"], "regression")
    with pytest.raises(
        ValueError, match="needs predictions from 0 to 1; head=tanh gives from -1 to 1; use head=sigmoid"
    ):
        pair(LOSSES["binary_crossentropy"], HEADS["tanh"], "binary")
    with pytest.raises(ValueError, match="needs outputs that sum to 1; those of head=sigmoid do not; use head=softmax"):
        pair(LOSSES["kl_divergence"], HEADS["sigmoid"], "multiclass")
    with pytest.raises(ValueError, match="judges each output on its own; those of head=softmax sum to 1"):
        pair(LOSSES["binary_crossentropy"], HEADS["softmax"], "binary")
    with pytest.raises(ValueError, match="needs a mean and a variance for each target; head=linear gives a value"):
        pair(LOSSES["gaussian_nll"], HEADS["linear"], "regression")
    with pytest.raises(ValueError, match="needs targets as signed; head=sigmoid gives zero_one or one_hot"):
        pair(LOSSES["hinge"], HEADS["sigmoid"], "binary")


def test_two_classes_can_have_an_output_each():
    one = pair(LOSSES["binary_crossentropy"], HEADS["sigmoid"], "binary")
    two = pair(LOSSES["binary_crossentropy"], HEADS["sigmoid"], "binary", "one_hot")
    assert (one.encoding, one.probability) == ("zero_one", True)
    assert (two.encoding, two.probability) == ("one_hot", False)
    assert encoded(two, targets(two)).shape == (12, 2)
    softmax = pair(LOSSES["categorical_crossentropy"], HEADS["softmax"], "binary")
    assert softmax.probability
    # With two outputs and a softmax, their difference is what a sigmoid is given.
    raw = np.float32([[0.5, 2.0]])
    a = per_sample_loss(softmax, "softmax")(tf.constant([[0.0, 1.0]]), tf.constant(raw))
    b = per_sample_loss(one, "sigmoid")(tf.constant([[1.0]]), tf.constant(raw[:, 1:] - raw[:, :1]))
    np.testing.assert_allclose(a, b, rtol=1e-6)


def weighted_sum(terms):
    return CompositeLossSettings(name=COMPOSITE, terms=terms)


def test_a_weighted_sum_is_the_sum_of_its_terms():
    settings = weighted_sum({"huber": {"weight": 0.7, "delta": 0.5}, "mean_absolute_error": {"weight": 0.3}})
    made = chosen_pair(settings, HeadSettings(name="linear", encoding="auto"), "regression", 1)
    y, raw = tf.constant([[0.0], [1.0]]), tf.constant([[2.0], [1.25]])
    given = {name: tf.constant(value) for name, value in parameter_values(settings).items()}
    assert set(given) == {name for name, _ in loss_parameters(made, 1)}
    huber, absolute = [0.5 * (2 - 0.25), 0.25**2 / 2], [2, 0.25]
    value = per_sample_loss(made, "linear")(y, raw, **given)
    np.testing.assert_allclose(value, 0.7 * np.array(huber) + 0.3 * np.array(absolute), rtol=1e-6)
    terms = term_losses(made, "linear")
    np.testing.assert_allclose(terms["huber"](y, raw, **given), huber, rtol=1e-6)
    np.testing.assert_allclose(terms["mean_absolute_error"](y, raw, **given), absolute, rtol=1e-6)


@pytest.mark.parametrize(
    ("terms", "head", "encoding"),
    [
        (("hinge", "mean_squared_error"), "tanh", "signed"),
        (("mean_squared_error", "hinge"), "linear", "signed"),
        (("categorical_crossentropy", "mean_squared_error"), "softmax", "one_hot"),
    ],
)
def test_all_terms_of_a_sum_see_the_same_targets(terms, head, encoding):
    settings = weighted_sum({term: {"weight": 1.0} for term in terms})
    made = chosen_pair(settings, HeadSettings(name=head, encoding="auto"), "binary", 2)
    assert made.encoding == encoding
    assert {term.encoding for term in made.terms} == {encoding}


def test_impossible_terms_of_a_weighted_sum_are_an_error_with_the_reason():
    settings = weighted_sum({"hinge": {"weight": 1.0}, "binary_crossentropy": {"weight": 1.0}})
    with pytest.raises(ValueError, match="take the same targets; loss=binary_crossentropy needs predictions from 0"):
        chosen_pair(settings, HeadSettings(name="tanh", encoding="auto"), "binary", 2)
