"""Makes an MLflow model of a run from the results on disk, without TensorFlow and without pickle."""

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
from lossbench.results.damage import read_cell_file
from lossbench.results.part_files import Run


def write_model(run: Run, folder: Path, recorded: Model | None = None) -> None:
    """Write a run's network to a new folder as an MLflow model.

    Parameters
    ----------
    run : Run
        The run whose weights are taken.
    folder : Path
        A folder that does not exist yet.
    recorded : Model, optional
        MLflow's record of the model, with its ids, if the model was registered before it is written.

    Raises
    ------
    NoModelError
        If no model can be made of the run's network.
    """
    contents = read_contents(run.path.parents[1])
    described = read_cell_file(run.path.parents[1])
    with tempfile.TemporaryDirectory() as temporary:
        weights, model = Path(temporary) / "weights.npz", Path(temporary) / NAME
        n_weights = sum(name.startswith("weight/") for name in run.arrays)
        write_arrays(weights, {str(i): run.arrays[f"weight/{i}"] for i in range(n_weights)})
        model.write_text(json.dumps(contents, indent=1), encoding="utf-8")
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
    """Silence MLflow's advice to give the model a signature or an input example.

    The model has no signature on purpose. With one, MLflow would refuse whole numbers in a column that had fractions in
    training, and over HTTP texts. ``serving`` checks the rows itself, with better messages.
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
