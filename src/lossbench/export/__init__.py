"""Exports of a sweep's results for use elsewhere.

In: a plan, and the results or study outcomes of its cells. Out: a training as a script of plain Keras
(``keras_script``), a trained network as a saved MLflow model (``saved_model``), or the tuned learning rates as a YAML
choice for later sweeps (``preset_file``). Of the heavy libraries only ``saved_model`` loads MLflow; TensorFlow is never
loaded here.
"""
