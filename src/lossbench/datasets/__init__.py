"""Data sets: the catalogue as plain data; making, splitting, scaling and corrupting them; the user's own files.

In: the settings of a data set. Out: a ``Dataset`` of NumPy arrays by split. Nothing here trains or writes.
"""
