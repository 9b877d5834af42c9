"""From the command line to a plan: what was typed, composed by Hydra, normalised, validated, with keys.

In: words. Out: a ``Plan`` of cells with typed settings, or all that is wrong at once. TensorFlow is never loaded.
"""
