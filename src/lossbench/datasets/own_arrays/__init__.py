"""The user's own arrays: from an .npz file, a folder of pictures, or a function; checks them and infers their task.

In: ``OwnArraysSettings``. Out: for planning a ``FileDescription``, for jobs arrays; or errors that name what is wrong
and a remedy. May import ``ground``, ``config``, ``losses`` and the other data set modules that planning may load; no
TensorFlow, scikit-learn or Hydra.
"""
