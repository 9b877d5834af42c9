"""Which loss function should this network be trained with? See README.md.

In Python, ``lossbench.load`` reads the results of a sweep, ``lossbench.compare`` runs one on arrays, and
``NetworkRegressor`` and ``NetworkClassifier`` are estimators of scikit-learn's. What this module offers is imported
when it is first used: ``import lossbench`` itself loads nothing.
"""

import importlib

__version__ = "0.1.0"
# Where each name lies that users of Python need.
_NAMES = {
    "NetworkClassifier": "lossbench.interface.estimators",
    "NetworkRegressor": "lossbench.interface.estimators",
    "Sweep": "lossbench.interface.sweep_results",
    "UsageError": "lossbench.ground.errors",
    "compare": "lossbench.interface.comparing",
    "load": "lossbench.interface.loading",
}
__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> object:
    if name not in _NAMES:
        raise AttributeError(f"module 'lossbench' has no attribute {name!r}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
