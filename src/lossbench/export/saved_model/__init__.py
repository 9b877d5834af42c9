"""A run's network with its preprocessing as an MLflow model.

``contents`` describes the network and the preprocessing as plain data, written once a cell. ``packing`` combines them
with a run's weights to a model; ``reading`` says whether that is possible. ``serving`` is the code inside the model: it
predicts for new rows, loads TensorFlow only then, and imports nothing of this package.
"""
