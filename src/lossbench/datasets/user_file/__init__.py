"""The user's own CSV or Parquet file: checks and reads it, classifies its columns, infers the task, selects rows.

In: ``FileSettings``. Out: for planning a ``FileDescription``, for jobs arrays; or errors that name the file, the line
and a remedy. May import ``ground``, ``config``, ``losses`` and the other data set modules that planning may load; no
TensorFlow, scikit-learn or Hydra.
"""
