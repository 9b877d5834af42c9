"""Runs on disk: a part file for each, complete or absent, and what is read from them.

Everything that is shown, tracked or reported is read from here. It imports neither TensorFlow nor MLflow.
"""
