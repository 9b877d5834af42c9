"""The command lines: a module for each command, and their entry points in ``main``.

In: the words of a command line. Out: printed lines, written files and an exit status. Heavy modules are imported inside
functions, where they are needed, so that ``--help`` and errors in the arguments take less than a second.
"""
