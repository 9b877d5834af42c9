"""The report of a sweep: from its files to a page, a summary, a table and figures.

In: the files of a sweep, nothing else. Out: ``report.html``, ``report.md``, ``comparison.csv``, ``figures/``.
"""
