"""Trains one run: specification, networks, learning rate schedules, the compiled trainer and the Keras trainer.

In: a cell's settings, its data and a seed. Out: curves, weights and the epoch of divergence. May import ``metrics`` and
the layers below; TensorFlow and Keras are imported here, but no MLflow or Hydra. Reads and writes no files.
"""
