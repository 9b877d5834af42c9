"""One training: what a program is compiled for, the compiled trainer, the plain one, networks and schedules.

In: settings, data and a seed. Out: curves, weights and the epoch of divergence. Nothing here reads or writes files.
"""
