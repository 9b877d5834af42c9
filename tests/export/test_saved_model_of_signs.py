"""A saved model reads cells with signs and blanks as its training did, or refuses them."""

import warnings

import mlflow
import numpy as np
import pandas as pd
import pytest
from support.exports import cell_of

from lossbench.export.saved_model.packing import write_model
from lossbench.ground.run_ids import RunId
from lossbench.jobs.run_cell import run_cell
from lossbench.results.part_files import read_run

ROWS, TRAIN = 60, 40


def written(signs: bool) -> pd.DataFrame:
    """Return the same rows as a user may have written them, or as plain numbers and texts."""
    rates, prices = [i * 37 % 100 / 2 for i in range(ROWS)], [i * 977 % 1009 * 12.5 for i in range(ROWS)]
    sizes = ["SML"[i * i % 3] for i in range(ROWS)]
    return pd.DataFrame(
        {
            "rate": [f"{rate}%" for rate in rates] if signs else rates,
            "price": [f" ${price:,.2f}" for price in prices] if signs else prices,
            "size": [f"{size}{' ' * (i % 2)}" for i, size in enumerate(sizes)] if signs else sizes,
            "y": [i * 41 % 97 / 4 for i in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signs")
    written(True).to_csv(folder / "table.csv", index=False)
    cell = cell_of(
        *("dataset=csv", f"dataset.path={folder / 'table.csv'}", "dataset.target=y", "dataset.split.seed=null"),
        *(f"dataset.split.train={TRAIN}", f"dataset.split.test={ROWS - TRAIN}", "epochs=1", "trainer=fit"),
    )
    assert cell.settings.dataset.facts.readings == {"rate": "number %", "price": "number $,", "size": "text"}
    run_cell(cell, folder / "cell", [RunId(0)], 1)
    found = read_run(folder / "cell" / "parts" / "seed=0.npz")
    write_model(found, folder / "model")
    return mlflow.pyfunc.load_model(str(folder / "model"))


def predicted(model, rows: pd.DataFrame) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.predict(rows)["y"].to_numpy()


def test_signs_and_blanks_are_read_as_the_numbers_and_texts_without(model):
    with_signs, without = written(True).drop(columns="y"), written(False).drop(columns="y")
    np.testing.assert_array_equal(predicted(model, with_signs), predicted(model, without))
    assert len(set(predicted(model, with_signs))) > ROWS / 2


@pytest.mark.parametrize(("column", "cell"), [("rate", "12,5%"), ("rate", "$3"), ("price", "$1,23"), ("price", "€5")])
def test_a_cell_of_another_form_is_refused(model, column, cell):
    rows = written(True)
    rows.loc[7, column] = cell
    with pytest.raises(mlflow.MlflowException, match=f"column '{column}' takes finite numbers"):
        model.predict(rows)


def test_a_mark_of_a_missing_value_with_blanks_is_one(model):
    rows = written(True)
    rows.loc[7, "rate"] = "NA "
    with pytest.raises(mlflow.MlflowException, match="column 'rate' needs a value"):
        model.predict(rows)
