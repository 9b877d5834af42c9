"""A CSV or Parquet file of the user's: reading it, what its columns and its target are, which rows are used.

In: the settings of a data set that is a file. Out: arrays, a description, or errors with the line and the way out.
"""
