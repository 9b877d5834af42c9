"""Networks as scikit-learn's estimators: one training with a loss, by the trainer of sweeps."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.pairing import ALIASES, LOSSES

# The settings that the parameters of an estimator are; the others are given as ``settings``.
KEYS = {
    "loss": "loss",
    "head": "head",
    "model": "model",
    "optimizer": "optimizer",
    "learning_rate": "optimizer.learning_rate",
    "hidden_units": "model.hidden_units",
    "epochs": "epochs",
    "batch_size": "batch_size",
}
# Seeds that are drawn from a random generator lie below.
MOST_SEED = 2**31 - 1
# What to do about an error of scikit-learn's, by a part of its text.
HINTS = {
    "contains NaN": "SimpleImputer() in a pipeline fills missing values in.",
    "infinity": "leave such rows out, or bring the column to a usual size.",
    "could not convert string": "OneHotEncoder() in a pipeline makes numbers of text.",
    "should be a 1d array": "MultiOutputClassifier(…) trains a classifier for each label.",
    "Unknown label type": "NetworkRegressor learns numbers.",
}


class EstimatorError(UsageError, ValueError):
    """A mistake in data or settings: an error of lossbench's, of the type that scikit-learn expects."""


class _NetworkEstimator(BaseEstimator):
    """What both estimators share: parameters, the training, and how mistakes are reported."""

    def __init__(
        self,
        loss="auto",
        *,
        head="auto",
        model=None,
        optimizer=None,
        learning_rate=None,
        hidden_units=None,
        epochs=None,
        batch_size=None,
        settings=None,
        random_state=0,
    ):
        self.loss = loss
        self.head = head
        self.model = model
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.hidden_units = hidden_units
        self.epochs = epochs
        self.batch_size = batch_size
        self.settings = settings
        self.random_state = random_state

    def _train(self, x: np.ndarray, y: np.ndarray, task: str, n_outputs: int) -> None:
        """Train the network, and keep it with its curves."""
        from lossbench.planning.network_settings import Targets, network_settings, outside_domain_warning

        seed = self._seed()
        try:
            targets = Targets(task, len(y), n_outputs, float(y.min()), float(y.max()))
            settings, pair = network_settings(self._given(), targets)
        except UsageError as error:
            raise EstimatorError(*error.problems) from None
        if warning := outside_domain_warning(settings, pair):
            warnings.warn(warning, stacklevel=3)
        # After all that can be wrong has been looked at: it takes 5 s to load TensorFlow.
        from lossbench.interface.network import trained_network

        network, trained = trained_network(settings, pair, x, y, seed)
        if trained.diverged_epoch:
            rate = settings.optimizer.learning_rate
            message = f"the training diverged: its loss is not finite after epoch {trained.diverged_epoch}."
            raise EstimatorError(Problem(message, f"a learning_rate below {rate:g}, or another loss."))
        self.network_ = network
        self.curves_ = pd.DataFrame({"epoch": trained.epochs, **trained.curves})

    def _given(self) -> dict[str, Any]:
        """Return the settings that are given, by their keys on the command line."""
        if not isinstance(self.settings, Mapping | None):
            message = f"settings must be a mapping of keys to values; got {self.settings!r}."
            raise EstimatorError(Problem(message, "settings={'optimizer.momentum': 0.5}"))
        others = dict(self.settings or {})
        values = {name: getattr(self, name) for name in KEYS}
        own = {name: value for name, value in values.items() if not (value is None or str(value) == "auto")}
        twice = [f"{name}= and {KEYS[name]!r}" for name in own if KEYS[name] in others]
        if twice:
            message = f"a setting is given twice: as {', '.join(twice)} in settings."
            raise EstimatorError(Problem(message, "leave one of them out."))
        given = {KEYS[name]: value for name, value in own.items()} | others
        functions = [key for key, value in given.items() if callable(value)]
        if functions:
            message = f"{' and '.join(functions)} must be given by name; got a function."
            hint = "a function of yours in mine.py: loss='custom', settings={'loss.function': 'mine:name'}"
            raise EstimatorError(Problem(message, hint))
        return {key: _plain(value) for key, value in given.items()}

    def _seed(self) -> int:
        """Return the run's seed: the given one, or one drawn from the given generator."""
        if isinstance(self.random_state, int | np.integer) and self.random_state >= 0:
            return int(self.random_state)
        try:
            return int(check_random_state(self.random_state).randint(MOST_SEED))
        except ValueError:
            message = f"random_state must be an integer from 0, a RandomState or None; got {self.random_state!r}."
            raise EstimatorError(Problem(message, "random_state=0 gives the same network each time.")) from None

    def _checked(self, x: Any, *y: Any, **how: Any) -> Any:
        """Return data as arrays, as scikit-learn checks them."""
        return _in_our_words(lambda: validate_data(self, x, *y, dtype=np.float64, **how))

    def _rows(self, x: Any) -> np.ndarray:
        """Return new rows as an array, once the network is trained."""
        check_is_fitted(self, msg=str(Problem("this %(name)s is not trained.", "call fit(X, y) first.")))
        return self._checked(x, reset=False)


class NetworkRegressor(RegressorMixin, _NetworkEstimator):
    """A network that learns one or several numbers, trained once with a loss; an estimator of scikit-learn's.

    It is the network that a sweep with the same settings and no tuning keeps, trained on all rows. What is not given is
    as in a sweep. Features and targets are scaled for training, predictions are in the targets' own unit.

    Parameters
    ----------
    loss, head : str
        Their names; ``auto``: mean_squared_error, and the loss's usual head.
    model, optimizer : str, optional
        Their names: ``mlp``, ``linear``, ``adam``, ….
    learning_rate : float, optional
        Of the optimizer.
    hidden_units : int or sequence of int, optional
        The number of units of each hidden layer.
    epochs, batch_size : int, optional
        Passes over all rows, and rows of a step.
    settings : dict, optional
        Other settings by their keys on the command line: ``{"optimizer.momentum": 0.5, "loss.delta": 2.0}``.
    random_state : int, RandomState or None
        The run's seed, from which initial weights and batch order are drawn; else one is drawn.

    Attributes
    ----------
    curves_ : DataFrame
        A row for each epoch: ``train/loss`` and the main metric.
    network_ : Network
        The trained network.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> cross_val_score(NetworkRegressor("huber", epochs=20), x, y)  # doctest: +SKIP
    """

    def fit(self, X, y):  # noqa: N803
        """Train the network.

        Parameters
        ----------
        X : array or DataFrame of numbers, shape (n_rows, n_features)
        y : array, shape (n_rows,) or (n_rows, n_outputs)

        Raises
        ------
        EstimatorError
            A ``ValueError`` with every mistake in data and settings, or if the training diverges.
        """
        x, y = self._checked(X, y, y_numeric=True, multi_output=True, ensure_min_samples=2)
        y = np.asarray(y, np.float64)
        self._is_flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        self._train(x, y, "regression", y.shape[1])
        return self

    def predict(self, X):  # noqa: N803
        """Return the predicted numbers of rows, in the shape of the targets of ``fit``."""
        x = self._rows(X)
        predicted = self.network_.numbers(x)
        return predicted[:, 0] if self._is_flat else predicted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _gives_probabilities(self) -> bool:
    """Return True if the outputs are probabilities; without a training that is decided by the loss alone."""
    if hasattr(self, "network_"):
        pair = self.network_.pair
        there, said = pair.probability, f"loss={pair.loss} on head={pair.head}"
    else:
        name = ALIASES.get(str(self.loss), str(self.loss))
        there, said = name == "auto" or (name in LOSSES and LOSSES[name].probability), f"loss={name}"
    if not there:
        hint = "decision_function and predict work with every loss; loss='auto' gives probabilities."
        raise AttributeError(str(Problem(f"the outputs of {said} are no probabilities.", hint)))
    return True


class NetworkClassifier(ClassifierMixin, _NetworkEstimator):
    """A network that learns two or more classes, trained once with a loss; an estimator of scikit-learn's.

    Parameters, and attributes besides ``classes_``, are those of ``NetworkRegressor``; ``loss="auto"`` is
    binary_crossentropy or categorical_crossentropy.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        The classes, in their order.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> search = GridSearchCV(NetworkClassifier(), {"loss": ["bce", "hinge"], "learning_rate": [0.01, 0.1]})
    >>> search.fit(x, y).best_params_  # doctest: +SKIP
    """

    def fit(self, X, y):  # noqa: N803
        """Train the network.

        Parameters
        ----------
        X : array or DataFrame of numbers, shape (n_rows, n_features)
        y : array of numbers or texts, shape (n_rows,)

        Raises
        ------
        EstimatorError
            A ``ValueError`` with every mistake in data and settings, or if the training diverges.
        """
        x, y = self._checked(X, y, ensure_min_samples=2)
        _in_our_words(lambda: check_classification_targets(y))
        self.classes_, classes = np.unique(y, return_inverse=True)
        n = len(self.classes_)
        if n < 2:
            message = f"y has one class only, {str(self.classes_[0])!r}."
            raise EstimatorError(Problem(message, "a classifier needs rows of at least two classes."))
        self._train(x, classes, "binary" if n == 2 else "multiclass", n)
        return self

    def predict(self, X):  # noqa: N803
        """Return the class of each row, decided as the head decides."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def decision_function(self, X):  # noqa: N803
        """Return what classes are decided by: above 0 for the second of two classes, or the largest of all."""
        x = self._rows(X)
        return self.network_.scores(x)

    @available_if(_gives_probabilities)
    def predict_proba(self, X):  # noqa: N803
        """Return the probability of each class, shape (n_rows, n_classes); only of losses whose outputs are that."""
        x = self._rows(X)
        return self.network_.probabilities(x)


def _in_our_words(check: Callable[[], Any]) -> Any:
    """Return what a check of scikit-learn's returns; its error gets a hint."""
    try:
        return check()
    except ValueError as error:
        _raise_with_hint(error)


def _raise_with_hint(error: ValueError) -> NoReturn:
    said = str(error)
    hint = next((hint for part, hint in HINTS.items() if part in said), "")
    # What follows the first line is about other estimators.
    raise EstimatorError(Problem(said.partition("\n")[0] if hint else said, hint)) from None


def _plain(value: Any) -> Any:
    """Return a value without NumPy's types and tuples, which a search over parameters may give."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
