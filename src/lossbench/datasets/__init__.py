"""Data sets: the catalogue, generators, loading, splitting, scaling, corruption, and the user's own files.

In: the settings of a data set. Out: a ``Dataset`` with NumPy arrays for each split. May import ``ground``, ``config``
and ``losses``, but no MLflow or Hydra. The catalogue and ``user_file`` import neither TensorFlow nor scikit-learn,
because planning uses them. Trains nothing and writes no files.
"""
