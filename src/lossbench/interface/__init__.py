"""The interface for Python and notebooks: sweeps as pandas tables and Matplotlib figures.

``lossbench/__init__.py`` offers what users need of it, imported when first used. In: a sweep's name or
folder, or arrays. Out: a ``Sweep``. It computes nothing of its own: numbers and drawings are those of the command's
files.
"""
