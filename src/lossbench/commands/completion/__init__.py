"""Completion in shells: the words that may follow, and the installation of what asks for them.

In: a command line as far as it is typed, ``table.json`` (made by ``table`` from ``conf/`` and the types of settings),
the user's ``conf/``, file and sweeps. Out: words. A press of a key waits for them, so that nothing but the standard
library is imported.
"""
