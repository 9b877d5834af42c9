"""A user's own function is found, and how it is called is checked, from its source alone."""

import sys

import pytest

from lossbench.ground.errors import Problem
from lossbench.ground.user_functions import find_function

SOURCE = """
raise RuntimeError("nobody imports this to look for a function")

def plain(y_true, y_pred): ...
def scaled(y_true, y_pred, scale): ...
def optional(y_true, y_pred, *, scale=1.0): ...
def open_(y_true, y_pred, **more): ...
def one(y_true): ...

@decorated
def wrapped(anything): ...

def again(): ...
again = wrapped
"""
BOTH = ("y_true", "y_pred")


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("plain", {}),
        ("scaled", {"scale": 2.0}),
        ("optional", {}),
        ("optional", {"scale": 2.0}),
        ("open_", {"x": 1.0}),
        ("wrapped", {}),
        ("again", {}),
    ],
)
def test_a_function_that_can_be_called_so_has_a_digest(function, parameters):
    assert isinstance(find_function("loss.function", f"mine:{function}", BOTH, parameters), str)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("mine:plain", {"scale": 1.0}, "loss.function=mine:plain does not take scale."),
        ("mine:scaled", {}, "loss.function=mine:scaled needs scale, which it is not given."),
        ("mine:scaled", {"sacle": 1.0}, "needs scale, which it is not given and does not take sacle."),
        ("mine:one", {}, "takes 1 arguments by place, not 2."),
        ("mine.py:plain", {}, "did you mean loss.function=mine:plain?"),
        ("./lib/mine.py:plain", {}, "did you mean loss.function=lib.mine:plain?"),
        ("/lib/mine.py:plain", {}, "loss.function=package.module:name, found from the working directory."),
        ("mine:plian", {}, "did you mean 'plain'?"),
        ("mine", {}, "must be of the form package.module:name; got 'mine'."),
        ("yours:plain", {}, "there is no module 'yours'."),
    ],
)
def test_what_is_wrong_with_it_is_said(name, parameters, said):
    found = find_function("loss.function", name, BOTH, parameters)
    assert isinstance(found, Problem)
    assert said in str(found)
