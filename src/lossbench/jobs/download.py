"""Downloads the data sets that Keras fetches at their first use, once, before any job needs them."""

import os
from pathlib import Path

from lossbench.datasets.catalogue import DATASETS, DatasetInfo
from lossbench.ground.errors import MissingEnvironmentError, Problem
from lossbench.ground.loading_functions import load_function
from lossbench.jobs.open_runs import OpenRuns
from lossbench.planning.plan import Plan


def missing_downloads(plan: Plan, open_runs: OpenRuns) -> list[DatasetInfo]:
    """Return the data sets of cells with open runs that Keras must still download."""
    names = {cell.settings.dataset.name for cell in plan.cells if open_runs[cell.folder]}
    return [info for name in sorted(names) if (info := DATASETS[name]).download and not _place(info).exists()]


def download(info: DatasetInfo) -> None:
    """Have Keras download a data set.

    Raises
    ------
    MissingEnvironmentError
        If the download fails.
    """
    try:
        load_function(info.maker)()
    except Exception as error:
        message = f"dataset={info.name} could not be downloaded: {' '.join(str(error).split())[:300]}"
        hint = f"it needs a network once; or put the file there yourself: {_place(info)}"
        raise MissingEnvironmentError(Problem(message, hint)) from None


def _place(info: DatasetInfo) -> Path:
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / info.download
