"""What results mean: tables of samples with verdicts, and the sentences, claims and recommendations that follow.

In: results of cells. Out: data and sentences, which console, report and tracking show. Nothing here draws or writes.
"""
