"""The report of a sweep: from its files to a page, a summary, a table and figures."""
