"""Heads and losses as a contract: tables of plain data that say which go together, and the functions themselves.

In: the names in a cell's settings. Out: a ``Pair`` of loss and head, and its function on raw predictions. Only the
functions (``functions``, ``regression``, ``classification``, ``shape``) load TensorFlow.
"""
