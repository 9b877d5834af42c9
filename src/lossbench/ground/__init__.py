"""The lowest layer: helpers that any package may use.

Error types and their messages, seeds and their random streams, atomic file writing, loading functions by name, finding
the user's own functions, and the quiet import of TensorFlow. Imports no other package of lossbench.
"""
