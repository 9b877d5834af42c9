"""A run's network with its preprocessing as a model of MLflow.

``contents`` is written while a cell trains, ``packing`` makes a model of it, ``serving`` goes with the model and
imports nothing of this package.
"""
