"""A run's network as a model of MLflow, put together from the results on disk: no TensorFlow, no pickle."""

import json
import logging
import tempfile
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow.models import Model

from lossbench.export.saved_model import serving
from lossbench.export.saved_model.reading import NAME, read_contents
from lossbench.ground.files import write_arrays
from lossbench.results.part_files import Run


def write_model(run: Run, folder: Path, recorded: Model | None = None) -> None:
    """Write a run's network to a new folder as a model that MLflow loads.

    Parameters
    ----------
    recorded : Model
        What MLflow knows of it already.

    Raises
    ------
    NoModelError
        If there can be none.
    """
    contents = read_contents(run.path.parents[1])
    described = json.loads((run.path.parents[1] / "cell.json").read_text())
    with tempfile.TemporaryDirectory() as temporary:
        weights, model = Path(temporary) / "weights.npz", Path(temporary) / NAME
        n_weights = sum(name.startswith("weight/") for name in run.arrays)
        write_arrays(weights, {str(i): run.arrays[f"weight/{i}"] for i in range(n_weights)})
        model.write_text(json.dumps(contents, indent=1))
        with _silent():
            mlflow.pyfunc.save_model(
                str(folder),
                python_model=serving.__file__,
                artifacts={"model": str(model), "weights": str(weights)},
                pip_requirements=_requirements(described["versions"]),
                metadata={"cell": contents["cell"], "seed": run.info.seed, "digest": described["digest"]},
                mlflow_model=recorded or Model(),
            )


def _requirements(trained_with: dict[str, str]) -> list[str]:
    kept = {name: trained_with[name] for name in ("tensorflow", "keras", "numpy")}
    kept |= {name: version(name) for name in ("mlflow", "pandas")}
    return [f"{name}=={number}" for name, number in sorted(kept.items())]


@contextmanager
def _silent():
    """Keep MLflow from advising against what is meant: no example of rows, no types of columns.

    It would refuse whole numbers in a column that had fractions, and texts for all columns of any type over HTTP; what
    rows must have is checked by the model, which says more.
    """
    logger = logging.getLogger("mlflow.pyfunc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
            yield
    finally:
        logger.setLevel(level)
