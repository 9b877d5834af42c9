"""The figures of a report: groups of panels on common axes.

In: a ``Frame`` with the table and arrays of a data set. Out: ``Figure`` objects, each with SVG drawings and the numbers
behind them. Nothing is written here.
"""
