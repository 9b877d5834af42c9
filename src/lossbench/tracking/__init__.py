"""MLflow: a copy of the results on disk, which can be written again at any time.

In: plans and result files. Out: experiments, runs, models and saved views in an MLflow store. ``process`` starts and is
the second process that writes them beside a sweep. ``tracker``, ``studies`` and ``models`` decide what is written;
``aggregates``, ``curves``, ``figures``, ``notes`` and ``saved_views`` compute it; ``experiment`` writes it, each
``finished_run`` through ``direct_writer`` where that knows the store. Nothing here imports TensorFlow, scikit-learn,
Hydra or Optuna; ``process`` and ``saved_views`` do not load MLflow either.
"""
