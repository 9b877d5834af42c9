"""Conclusions from results: tables of losses with verdicts, and the sentences and recommendations that follow.

In: a plan and the results of its cells. Out: data classes and sentences, which console, report and tracking show. The
modules compute only: they draw nothing, write no files, and import no heavy library.
"""
