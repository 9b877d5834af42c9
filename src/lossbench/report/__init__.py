"""The report of a sweep: an HTML page, a Markdown summary, a table of comparisons, and figures.

In: the plan and the result files of a sweep, nothing else. Out: ``report.html``, ``report.md``, ``comparison.csv`` and
``figures/``; the same files give the same bytes. No TensorFlow, scikit-learn, MLflow, Hydra or Optuna is imported.
"""
