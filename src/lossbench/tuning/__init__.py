"""The study of a cell: what Optuna proposes, training the trials, the files they lie in.

Only ``proposals`` imports Optuna; only ``study`` trains.
"""
