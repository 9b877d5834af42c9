"""The terminal output of a sweep: its first lines, its progress, the tables at its end, and its last lines.

In: a plan and the results on disk. Out: printed lines of at most 80 columns. ``text_tables`` also serves the report and
MLflow. No heavy library, Hydra or Optuna is imported.
"""
