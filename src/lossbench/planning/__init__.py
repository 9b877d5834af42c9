"""Turns the command line into a plan: parses, composes with Hydra, normalises, validates, and computes cell keys.

In: command-line words. Out: a ``Plan`` of cells with typed settings, or one error with every mistake. May import
``metrics`` and the layers below, and Hydra, but nothing that loads TensorFlow, MLflow, scikit-learn or Optuna: an error
in the arguments appears within a second.
"""
