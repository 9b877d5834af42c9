"""A Hydra job: prepares a cell, trains its runs, evaluates them and writes their files.

In: a written plan and its open seeds. Out: the files of each cell and a part file for each run; a job raises nothing
for a run that goes wrong, but writes that run as failed. ``launch`` starts Hydra and ``open_runs`` keeps order in the
sweep's folder before it. MLflow and Optuna are never imported here; ``launch`` does not load TensorFlow either.
"""
