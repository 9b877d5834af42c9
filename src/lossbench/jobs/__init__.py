"""A Hydra job: has a worker process prepare a cell, train its runs, evaluate them and write their files.

In: a written plan and its open seeds. Out: the files of each cell and a part file for each run; a job raises nothing
for a run that goes wrong, but writes that run as failed. ``launch`` starts Hydra and ``open_runs`` keeps order in the
sweep's folder before it. ``worker`` is the process that trains, ``run_cell`` and ``run_yardsticks`` are what it does.
MLflow and Optuna are never imported here; ``launch`` does not load TensorFlow either.
"""
