"""The study of a tuned cell: Optuna's proposals, the training of trials, and the files of both.

In: a cell and its training data. Out: a file for each trial, and an ``Outcome`` with the best learning rate. Trials
never see the test split. Only ``proposals`` imports Optuna, only ``study`` trains; ``study_files`` reads and writes the
files and is light enough for the terminal and the report.
"""
