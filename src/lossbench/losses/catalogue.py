"""Every loss, as plain data: nothing heavy is imported to read it.

Functions are named, and loaded by ``functions`` when they are needed.
"""

from typing import Any

from lossbench.losses.definition import Loss, Parameter
from lossbench.losses.heads import INFINITY

REALS = (-INFINITY, INFINITY)
UNIT = (0.0, 1.0)
ANY_VALUE: dict[str, tuple[str, ...]] = {
    "regression": ("real",),
    "binary": ("zero_one", "signed", "one_hot"),
    "multiclass": ("one_hot",),
    "multilabel": ("zero_one", "signed"),
}
SHARES: dict[str, tuple[str, ...]] = {"shares": ("real",)}
CANONICAL = {
    "regression": "linear",
    "binary": "sigmoid",
    "multiclass": "softmax",
    "multilabel": "sigmoid",
    "shares": "softmax",
}
# For several classes; two classes may have an output each as well.
ONE_FOR_EACH_CLASS: dict[str, tuple[str, ...]] = {"multiclass": ("one_hot",), "binary": ("one_hot",)}
# For an output that says yes or no: two classes, each of several labels, or each class on its own.
YES_OR_NO: dict[str, tuple[str, ...]] = {
    "binary": ("zero_one", "one_hot"),
    "multilabel": ("zero_one",),
    "multiclass": ("one_hot",),
}
SIGNED: dict[str, tuple[str, ...]] = {"binary": ("signed",), "multilabel": ("signed",)}
# One kernel for all codings of cross-entropy, so that they share a program.
SOFTMAX_CROSSENTROPY = "lossbench.losses.classification:softmax_crossentropy"
SMOOTHING = Parameter("label_smoothing", 0.0, 1.0, "share of each target that is spread evenly over the classes")

NUMBERS = {"regression": ("real",)}
FOCUS = Parameter("gamma", 0.0, 100.0, "how fast what is already right stops counting")


def _stable(head: str, function: str, *encodings: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the stable forms on a head for some encodings, all of one function."""
    return {(head, encoding): (function, encoding) for encoding in encodings}


def _scale(meaning: str) -> Parameter:
    return Parameter("scale", 1e-12, 1e12, meaning)


def _number_loss(name: str, **row: Any) -> Loss:
    """Return a row for targets that are any numbers, on a linear head, with a function of ours."""
    common: dict[str, Any] = {
        "encodings": NUMBERS,
        "heads": {"regression": "linear"},
        "y_true": REALS,
        "y_pred": REALS,
        "statistic": "between mean and median",
        "function": f"lossbench.losses.regression:{name}",
    }
    return Loss(name=name, **(common | row))


def _class_loss(name: str, **row: Any) -> Loss:
    """Return a row for several classes, one-hot, on a softmax head, with a function of raw predictions."""
    common: dict[str, Any] = {
        "encodings": ONE_FOR_EACH_CLASS,
        "heads": {"multiclass": "softmax"},
        "y_true": UNIT,
        "y_pred": UNIT,
        "statistic": "more confident than the class shares",
        "stable": {
            ("softmax", "one_hot"): (
                f"lossbench.losses.classification:softmax_{name.removeprefix('categorical_')}",
                "one_hot",
            )
        },
    }
    return Loss(name=name, **(common | row))


ROWS = (
    Loss(
        name="mean_squared_error",
        formula="(y - p)^2",
        meaning="Estimates the mean; an error twice as large costs four times as much.",
        encodings=ANY_VALUE | SHARES,
        heads=CANONICAL,
        y_true=REALS,
        y_pred=REALS,
        statistic="mean",
        function="keras.losses:mean_squared_error",
        probability=True,
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        keras="MeanSquaredError",
        aliases=("mse", "l2"),
    ),
    Loss(
        name="mean_absolute_error",
        formula="|y - p|",
        meaning="Estimates the median; every unit of error costs the same, however large the error.",
        encodings=ANY_VALUE,
        heads={task: CANONICAL[task] for task in ANY_VALUE},
        y_true=REALS,
        y_pred=REALS,
        statistic="median",
        function="keras.losses:mean_absolute_error",
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        keras="MeanAbsoluteError",
        aliases=("mae", "l1"),
    ),
    Loss(
        name="mean_squared_logarithmic_error",
        formula="(log(1 + max(y, 0)) - log(1 + max(p, 0)))^2",
        meaning="Squared error of ratios, for targets from 0 up; all negative numbers count as 0.",
        encodings={"regression": ("real",)},
        heads={"regression": "linear"},
        y_true=(0.0, INFINITY),
        y_pred=REALS,
        statistic="logarithmic_mean",
        function="keras.losses:mean_squared_logarithmic_error",
        source="Tyralis and Papacharalampous (2025), Transformations of Predictions and Realizations in Consistent "
        "Scoring Functions, arXiv:2502.16542",
        keras="MeanSquaredLogarithmicError",
        aliases=("msle",),
    ),
    Loss(
        name="binary_crossentropy",
        formula="-y log(p) - (1 - y) log(1 - p)",
        meaning="The negative log-likelihood of two classes: estimates the probability of class 1.",
        encodings=YES_OR_NO,
        heads={"binary": "sigmoid", "multilabel": "sigmoid"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=False,
        statistic="mean",
        function="lossbench.losses.classification:binary_crossentropy",
        stable=_stable("sigmoid", "lossbench.losses.classification:sigmoid_crossentropy", "zero_one", "one_hot"),
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="BinaryCrossentropy",
        parameters=(SMOOTHING,),
        aliases=("bce", "log_loss"),
    ),
    Loss(
        name="hinge",
        formula="max(0, 1 - y p)",
        meaning="Asks for a margin of 1 on the right side, and no more; estimates the class, not its probability.",
        encodings=SIGNED,
        heads={"binary": "tanh", "multilabel": "tanh"},
        y_true=(-1.0, 1.0),
        y_pred=REALS,
        statistic="majority",
        function="lossbench.losses.classification:hinge",
        source="Cortes and Vapnik (1995), Support-Vector Networks, doi:10.1007/BF00994018",
        keras="Hinge",
    ),
    Loss(
        name="squared_hinge",
        formula="max(0, 1 - y p)^2",
        meaning="A margin of 1 whose violations cost their square; large ones weigh more than in hinge.",
        encodings=SIGNED,
        heads={"binary": "tanh", "multilabel": "tanh"},
        y_true=(-1.0, 1.0),
        y_pred=REALS,
        statistic="mean",
        function="lossbench.losses.classification:squared_hinge",
        source="Zhang (2004), Statistical Behavior and Consistency of Classification Methods Based on Convex Risk "
        "Minimization, doi:10.1214/aos/1079120130",
        keras="SquaredHinge",
    ),
    Loss(
        name="categorical_crossentropy",
        formula="-sum_k y_k log(p_k)",
        meaning="The negative log-likelihood of several classes, targets one-hot: estimates their probabilities.",
        encodings=ONE_FOR_EACH_CLASS | SHARES,
        heads={"multiclass": "softmax", "shares": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=True,
        statistic="mean",
        function="lossbench.losses.classification:categorical_crossentropy",
        stable=_stable("softmax", SOFTMAX_CROSSENTROPY, "one_hot", "real"),
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="CategoricalCrossentropy",
        parameters=(SMOOTHING,),
        aliases=("cce", "crossentropy", "cross_entropy"),
    ),
    Loss(
        name="sparse_categorical_crossentropy",
        formula="-log(p_y)",
        meaning="Categorical cross-entropy with the number of the class as target: the same function.",
        encodings={"multiclass": ("integer",), "binary": ("integer",)},
        heads={"multiclass": "softmax"},
        y_true=(0.0, INFINITY),
        y_pred=UNIT,
        sums_to_one=True,
        statistic="mean",
        function="keras.losses:sparse_categorical_crossentropy",
        stable={("softmax", "integer"): (SOFTMAX_CROSSENTROPY, "one_hot")},
        probability=True,
        source="Good (1952), Rational Decisions, doi:10.1111/j.2517-6161.1952.tb00104.x",
        keras="SparseCategoricalCrossentropy",
        aliases=("scce", "sparse_crossentropy"),
    ),
    Loss(
        name="kl_divergence",
        formula="sum_k y_k log(y_k / p_k)",
        meaning="Cross-entropy less the entropy of the targets, which is 0 when they are one-hot: the same function.",
        encodings=ONE_FOR_EACH_CLASS | SHARES,
        heads={"multiclass": "softmax", "shares": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=True,
        statistic="mean",
        function="keras.losses:kl_divergence",
        stable=_stable("softmax", SOFTMAX_CROSSENTROPY, "one_hot")
        | _stable("softmax", "lossbench.losses.classification:softmax_kl_divergence", "real"),
        probability=True,
        source="Kullback and Leibler (1951), On Information and Sufficiency, doi:10.1214/aoms/1177729694",
        keras="KLDivergence",
        aliases=("kld", "kl", "kullback_leibler_divergence"),
    ),
    _number_loss(
        "half_squared_error",
        formula="1/2 sum_k (y_k - p_k)^2",
        meaning="Squared error with the error itself as gradient; estimates the mean.",
        statistic="mean",
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
    ),
    _number_loss(
        "mean_absolute_percentage_error",
        formula="100 |y - p| / |y|",
        meaning="Absolute error as a share of the target, for targets above 0; favours predictions that are too low.",
        y_true=(1e-7, INFINITY),
        statistic="relative_median",
        function="keras.losses:mean_absolute_percentage_error",
        keras="MeanAbsolutePercentageError",
        source="Gneiting (2011), Making and Evaluating Point Forecasts, doi:10.1198/jasa.2011.r10138",
        aliases=("mape",),
    ),
    _number_loss(
        "log_cosh",
        formula="log(cosh(y - p))",
        meaning="About half the squared error when small, the absolute error less log(2) when large; smooth "
        "everywhere.",
        function="keras.losses:log_cosh",
        keras="LogCosh",
        source="Saleh and Saleh (2022), Statistical Properties of the log-cosh Loss Function Used in Machine Learning, "
        "arXiv:2208.04564",
        aliases=("logcosh",),
    ),
    _number_loss(
        "huber",
        formula="e^2 / 2 for |e| <= delta, delta (|e| - delta / 2) beyond",
        meaning="Squared near the target, absolute beyond delta: an outlier pulls no harder than that.",
        keras="Huber",
        parameters=(Parameter("delta", 1e-12, 1e12, "error at which it turns, in the targets' unit after scaling"),),
        source="Huber (1964), Robust Estimation of a Location Parameter, doi:10.1214/aoms/1177703732",
        aliases=("huber_loss", "smooth_l1"),
    ),
    _number_loss(
        "pinball",
        formula="max(tau (y - p), (tau - 1)(y - p))",
        meaning="Estimates a quantile: too low costs tau a unit, too high 1 - tau. At 0.5 it is half the absolute "
        "error.",
        statistic="quantile",
        parameters=(Parameter("quantile", 1e-6, 1.0, "the level tau"),),
        source="Koenker and Bassett (1978), Regression Quantiles, doi:10.2307/1913643",
        aliases=("quantile_loss",),
    ),
    _number_loss(
        "expectile",
        formula="|tau - 1[y < p]| (y - p)^2",
        meaning="Estimates an expectile: squared error that weighs too low and too high differently. At 0.5 it is "
        "half the squared error.",
        statistic="expectile",
        parameters=(Parameter("level", 1e-6, 1.0, "the level tau"),),
        source="Newey and Powell (1987), Asymmetric Least Squares Estimation and Testing, doi:10.2307/1911031",
    ),
    _number_loss(
        "charbonnier",
        formula="s^2 (sqrt(1 + (e / s)^2) - 1)",
        meaning="A smooth absolute error: about half the squared error below the scale, absolute above it. It is "
        "barron at its default alpha, 1.",
        parameters=(_scale("error at which it turns, in the targets' unit after scaling"),),
        source="Charbonnier et al. (1994), Two Deterministic Half-Quadratic Regularization Algorithms for Computed "
        "Imaging, doi:10.1109/ICIP.1994.413553",
        aliases=("pseudo_huber",),
    ),
    _number_loss(
        "cauchy",
        formula="s^2 / 2 log(1 + (e / s)^2)",
        meaning="Grows with the logarithm of the error: far outliers hardly count.",
        statistic="near the mode",
        parameters=(_scale("error of the largest gradient, in the targets' unit after scaling"),),
        source="Holland and Welsch (1977), Robust Regression Using Iteratively Reweighted Least-Squares, "
        "doi:10.1080/03610927708827533",
        aliases=("lorentzian",),
    ),
    _number_loss(
        "tukey",
        formula="s^2 / 6 (1 - (1 - (e / s)^2)^3) for |e| <= s, s^2 / 6 beyond",
        meaning="Flat beyond the scale: outliers are left out, and so is a prediction that starts far away.",
        statistic="near the mode",
        parameters=(_scale("error beyond which nothing counts, in the targets' unit after scaling"),),
        source="Beaton and Tukey (1974), The Fitting of Power Series, Meaning Polynomials, Illustrated on "
        "Band-Spectroscopic Data, doi:10.1080/00401706.1974.10489171",
        aliases=("biweight",),
    ),
    _number_loss(
        "barron",
        formula="s^2 |a - 2| / a (((e / s)^2 / |a - 2| + 1)^(a / 2) - 1)",
        meaning="From half the squared error (alpha 2) over Charbonnier (1, the default) and Cauchy (0, its scale "
        "sqrt(2) s) towards flat (negative).",
        statistic="from mean to mode, with alpha",
        parameters=(
            Parameter("alpha", -10.0, 2.0 + 1e-9, "how much large errors count"),
            _scale("error at which it turns, in the targets' unit after scaling"),
        ),
        source="Barron (2019), A General and Adaptive Robust Loss Function, arXiv:1701.03077; here times s^2",
    ),
    _number_loss(
        "poisson",
        formula="p - y log(p)",
        meaning="The negative log-likelihood of counts: estimates their mean, errors weighed by its size.",
        heads={"regression": "exponential"},
        y_true=(0.0, INFINITY),
        y_pred=(0.0, INFINITY),
        statistic="mean",
        function="keras.losses:poisson",
        keras="Poisson",
        stable=_stable("exponential", "lossbench.losses.regression:exponential_poisson", "real"),
        source="Nelder and Wedderburn (1972), Generalized Linear Models, doi:10.2307/2344614",
        aliases=("poisson_nll",),
    ),
    _number_loss(
        "gaussian_nll",
        formula="1/2 log(2 pi v) + (y - m)^2 / (2 v), m the mean and v the variance that are predicted",
        meaning="The negative log-likelihood of a normal target: estimates its mean and, beside it, its variance.",
        heads={"regression": "gaussian"},
        statistic="mean_and_variance",
        function="",
        stable=_stable("gaussian", "lossbench.losses.regression:gaussian_nll", "real"),
        head_statistics=("mean", "variance"),
        source="Nix and Weigend (1994), Estimating the Mean and Variance of the Target Probability Distribution, "
        "doi:10.1109/ICNN.1994.374138",
        aliases=("gaussian_negative_log_likelihood",),
    ),
    Loss(
        name="cosine_similarity",
        formula="-sum_k y_k p_k / (|y| |p|)",
        meaning="Compares directions: from -1, the same one, to 1, the opposite; lengths do not count.",
        encodings={"regression": ("real",), **ONE_FOR_EACH_CLASS},
        heads={"regression": "linear", "multiclass": "softmax"},
        y_true=REALS,
        y_pred=REALS,
        statistic="mean_direction",
        function="keras.losses:cosine_similarity",
        keras="CosineSimilarity",
        least_targets=2,
        source="Salton et al. (1975), A Vector Space Model for Automatic Indexing, doi:10.1145/361219.361220",
        aliases=("cosine_proximity", "cosine"),
    ),
    Loss(
        name="exponential",
        formula="exp(-y p)",
        meaning="AdaBoost's loss: a violated margin costs exponentially much, so mislabelled samples dominate.",
        encodings=SIGNED,
        heads={"binary": "linear", "multilabel": "linear"},
        y_true=(-1.0, 1.0),
        y_pred=REALS,
        statistic="half the log-odds",
        function="lossbench.losses.classification:exponential",
        source="Friedman et al. (2000), Additive Logistic Regression: A Statistical View of Boosting, "
        "doi:10.1214/aos/1016218223",
        aliases=("exponential_loss",),
    ),
    Loss(
        name="binary_focal_crossentropy",
        formula="-a_t (1 - p_t)^gamma log(p_t), p_t the probability of the true class",
        meaning="Cross-entropy in which what is already right counts little and class 1 has the weight alpha.",
        encodings=YES_OR_NO,
        heads={"binary": "sigmoid", "multilabel": "sigmoid"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=False,
        statistic="nearer one half than the share of class 1; alpha below one half moves it towards 0",
        stable=_stable("sigmoid", "lossbench.losses.classification:sigmoid_focal_crossentropy", "zero_one", "one_hot"),
        keras="BinaryFocalCrossentropy",
        parameters=(FOCUS, Parameter("alpha", 1e-6, 1.0, "weight of class 1; class 0 has the rest")),
        source="Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002",
        aliases=("focal",),
    ),
    Loss(
        name="dice",
        formula="1 - 2 sum y p / (sum y + sum p), sums over the batch",
        meaning="Overlap with class 1 in the whole batch: class 0 done right earns nothing, so rare positives count.",
        encodings={"binary": ("zero_one",), "multilabel": ("zero_one",)},
        heads={"binary": "sigmoid", "multilabel": "sigmoid"},
        y_true=UNIT,
        y_pred=UNIT,
        statistic="class 1 everywhere",
        function="lossbench.losses.classification:dice",
        keras="Dice",
        whole_batch=True,
        source="Drozdzal et al. (2016), The Importance of Skip Connections in Biomedical Image Segmentation, "
        "arXiv:1608.04117; V-Net's Dice (arXiv:1606.04797) has squares in its denominator",
    ),
    Loss(
        name="tversky",
        formula="1 - s / (s + alpha sum (1 - y) p + beta sum y (1 - p)), s = sum y p over the batch",
        meaning="Overlap with class 1 in the whole batch; alpha weighs false positives, beta false negatives.",
        encodings={"binary": ("zero_one",), "multilabel": ("zero_one",)},
        heads={"binary": "sigmoid", "multilabel": "sigmoid"},
        y_true=UNIT,
        y_pred=UNIT,
        statistic="class 1 everywhere",
        function="lossbench.losses.classification:tversky",
        keras="Tversky",
        whole_batch=True,
        parameters=(
            Parameter("alpha", 1e-6, 1e6, "weight of false positives"),
            Parameter("beta", 1e-6, 1e6, "weight of false negatives"),
        ),
        source="Salehi et al. (2017), Tversky Loss Function for Image Segmentation Using 3D Fully Convolutional Deep "
        "Networks, arXiv:1706.05721",
    ),
    _class_loss(
        "categorical_focal_crossentropy",
        formula="-(1 - p_y)^gamma log(p_y)",
        meaning="Cross-entropy in which what is already right counts little.",
        statistic="less confident than the class shares",
        keras="CategoricalFocalCrossentropy",
        parameters=(FOCUS,),
        source="Lin et al. (2017), Focal Loss for Dense Object Detection, arXiv:1708.02002",
    ),
    Loss(
        name="categorical_hinge",
        formula="max(0, 1 - p_y + max(0, the other classes' p_k))",
        meaning="Asks that the true class be ahead of the others, and of 0, by 1. Finds the class that has more than "
        "half of the probability; where none has, it is least at 0 for all.",
        encodings=ONE_FOR_EACH_CLASS,
        heads={"multiclass": "linear"},
        y_true=UNIT,
        y_pred=REALS,
        statistic="majority_class",
        function="keras.losses:categorical_hinge",
        keras="CategoricalHinge",
        source="Crammer and Singer (2001), On the Algorithmic Implementation of Multiclass Kernel-based Vector "
        "Machines, jmlr.org/papers/v2/crammer01a.html; Keras's own has a 0 in the inner maximum",
    ),
    Loss(
        name="multiclass_hinge",
        formula="max(0, 1 - p_y + max over the other classes of p_k)",
        meaning="Asks that the true class be ahead of the others by 1. Finds the class that has more than half of the "
        "probability; where none has, it is least where all outputs are equal.",
        encodings=ONE_FOR_EACH_CLASS,
        heads={"multiclass": "linear"},
        y_true=UNIT,
        y_pred=REALS,
        statistic="majority_class",
        function="lossbench.losses.classification:multiclass_hinge",
        source="Crammer and Singer (2001), On the Algorithmic Implementation of Multiclass Kernel-based Vector "
        "Machines, jmlr.org/papers/v2/crammer01a.html",
        aliases=("crammer_singer",),
    ),
    _class_loss(
        "generalized_crossentropy",
        formula="(1 - p_y^q) / q",
        meaning="Between cross-entropy (q to 0) and 1 - p_y, half the summed absolute error (q = 1): a wrong label "
        "costs at most 1 / q.",
        keras="CategoricalGeneralizedCrossEntropy",
        parameters=(Parameter("q", 1e-3, 1.0 + 1e-9, "how bounded it is"),),
        source="Zhang and Sabuncu (2018), Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy "
        "Labels, arXiv:1805.07836",
        aliases=("gce", "generalised_crossentropy"),
    ),
    _class_loss(
        "symmetric_crossentropy",
        formula="-alpha log(p_y) - beta sum_k p_k log(max(y_k, 1e-4))",
        meaning="Cross-entropy and a bounded part with target and prediction exchanged, which tolerates wrong labels.",
        parameters=(
            Parameter("alpha", 0.0, 1e6, "weight of the cross-entropy"),
            Parameter("beta", 0.0, 1e6, "weight of the bounded part"),
        ),
        source="Wang et al. (2019), Symmetric Cross Entropy for Robust Learning with Noisy Labels, arXiv:1908.06112",
        aliases=("sce",),
    ),
    _class_loss(
        "partially_huberised_crossentropy",
        formula="-log(p_y) for p_y > 1 / tau, -tau p_y + log(tau) + 1 below",
        meaning="Cross-entropy whose gradient is bounded where a label is confidently contradicted.",
        parameters=(Parameter("tau", 1.0, 1e6, "the slope at which it turns"),),
        source="Menon et al. (2020), Can Gradient Clipping Mitigate Label Noise?, openreview.net/forum?id=rklB76EKPr",
        aliases=("phuber_ce",),
    ),
    _class_loss(
        "poly1_crossentropy",
        formula="-log(p_y) + epsilon (1 - p_y)",
        meaning="Cross-entropy with another weight on the first term of its expansion in 1 - p_y.",
        parameters=(Parameter("epsilon", -1.0, 1e6, "the weight added to 1"),),
        source="Leng et al. (2022), PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions, "
        "arXiv:2204.12511",
        aliases=("poly1",),
    ),
    Loss(
        name="squared_earth_mover",
        formula="sum_k (sum_{j <= k} (y_j - p_j))^2",
        meaning="For classes in an order: probability that must travel far costs more. Estimates their probabilities.",
        encodings=ONE_FOR_EACH_CLASS,
        heads={"multiclass": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=True,
        statistic="mean",
        function="lossbench.losses.classification:squared_earth_mover",
        ordered=True,
        probability=True,
        source="Hou et al. (2016), Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks, "
        "arXiv:1611.05916",
        aliases=("emd2",),
    ),
    Loss(
        name="expected_cost",
        formula="sum_k c_yk p_k, c_yk the cost of deciding k where y is true",
        meaning="What the decisions cost on average, with costs of your own for each confusion of classes.",
        encodings=ONE_FOR_EACH_CLASS,
        heads={"multiclass": "softmax"},
        y_true=UNIT,
        y_pred=UNIT,
        sums_to_one=True,
        statistic="the class of least cost",
        function="lossbench.losses.classification:expected_cost",
        parameters=(
            Parameter("costs", 0.0, 1e12, "a row for each true class, a number for each decided one", matrix=True),
        ),
        source="Elkan (2001), The Foundations of Cost-Sensitive Learning, dl.acm.org/doi/10.5555/1642194.1642224",
    ),
    Loss(
        name="composite",
        formula="sum_i w_i loss_i",
        meaning="A weighted sum: loss.terms={huber: 0.7, mean_absolute_error: 0.3}; the terms are logged too.",
        encodings={},
        heads={},
        y_true=REALS,
        y_pred=REALS,
        statistic="that of the sum",
        source="Kendall et al. (2018), Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry and "
        "Semantics, arXiv:1705.07115, learn the weights; here they are yours",
    ),
    Loss(
        name="custom",
        formula="a function of yours",
        meaning="loss.function=package.module:name of (y_true, y_pred, **loss.parameters), as Keras takes them.",
        encodings={},
        heads={},
        y_true=REALS,
        y_pred=REALS,
        statistic="that of the function",
        source="yours",
    ),
)
