"""How predictions are judged: the catalogue of metrics, their computation, and the reference predictors.

In: targets and raw predictions as arrays. Out: numbers by name. Nothing here knows of runs or files.
"""
