"""What a paper takes from a sweep: tables, figures at column width, a text on methods, and references.

In: a plan with its results. Out: texts in LaTeX, Markdown or CSV, and Matplotlib's figures, which commands write. All
names that users choose (columns, files, cells) are escaped.
"""
