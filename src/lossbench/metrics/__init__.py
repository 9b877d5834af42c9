"""The metrics: their catalogue, their computation, calibration, and the scores of reference predictors.

In: targets and raw predictions as NumPy arrays. Out: dicts from metric name to value. May import ``ground``,
``config``, ``losses`` and ``datasets``, but no TensorFlow, MLflow or Hydra. Knows neither runs nor files.
"""
