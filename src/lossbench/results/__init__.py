"""The result files of a sweep: one part file for each run, and the readers of these files.

In: the metrics, curves, weights and predictions of trained runs. Out: ``Run`` and ``CellResults`` objects and
``results.csv``. The terminal, the report and MLflow get all their numbers from here. A part file is complete or absent,
never half written. The package imports neither TensorFlow, scikit-learn, MLflow, Hydra nor Optuna.
"""
