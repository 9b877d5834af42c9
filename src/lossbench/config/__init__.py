"""The types of all settings, the search space of a study, the optimizers, and the paths of files and folders.

In: plain dicts, as Hydra composes them or ``plan.json`` stores them. Out: frozen dataclasses. Default values live in
``conf/`` only. May import ``ground``, but no TensorFlow, MLflow, Hydra, scikit-learn or Optuna. Writes no files.
"""
