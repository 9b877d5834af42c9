"""The views of a sweep in MLflow's UI, as data."""

import base64
import json
import zlib
from dataclasses import replace

import pytest
from support.results import cell, cell_results, sweep

from lossbench.tracking.saved_views import View, quoted, views


def views_of(*cells) -> dict[str, View]:
    return {view.key: view for view in views(sweep(*(cell_results(own, []) for own in cells)))}


def state_of(view: View) -> dict:
    content = json.loads(view.content(1700000000000))
    assert (content["name"], content["createdAt"]) == (view.name, 1700000000000)
    kind, packed = content["state"].split(";")
    assert kind == "deflate"
    return json.loads(zlib.decompress(base64.b64decode(packed)))


CIRCLES = [cell("binary_crossentropy"), cell("hinge", head="tanh")]
NUMBERS = cell("mean_squared_error", dataset="friedman1", head="linear")
ONE, SEVERAL = views_of(*CIRCLES), views_of(*CIRCLES, NUMBERS)


def test_one_data_set_has_one_view_and_several_one_each_beside_all():
    assert list(ONE) == ["cells-circles", "seeds-diverged", "seeds-stuck"]
    assert list(SEVERAL) == ["cells", "cells-circles", "cells-friedman1", "seeds-diverged", "seeds-stuck"]
    assert [view.name for view in SEVERAL.values()] == [
        "losses on all data sets",
        "losses on circles",
        "losses on friedman1",
        "seeds: diverged or failed",
        "seeds: stuck",
    ]
    assert all(view.tag == f"mlflow.sharedViewState.{key}" for key, view in SEVERAL.items())


@pytest.mark.parametrize(
    ("key", "search"),
    [
        ("cells", "tags.kind = 'cell'"),
        ("cells-circles", "tags.kind = 'cell' and params.dataset = 'circles'"),
        ("seeds-diverged", "tags.kind = 'run' and tags.status != 'finished'"),
        ("seeds-stuck", "tags.kind = 'run' and tags.stuck = 'true'"),
    ],
)
def test_a_view_finds_its_runs(key, search):
    assert SEVERAL[key].search == search
    assert state_of(SEVERAL[key])["searchFilter"] == search


@pytest.mark.parametrize(("key", "metric", "ascending"), [("circles", "accuracy", False), ("friedman1", "rmse", True)])
def test_the_best_loss_stands_first(key, metric, ascending):
    state = state_of(SEVERAL[f"cells-{key}"])
    assert (state["orderByKey"], state["orderByAsc"]) == (f"metrics.`final/test/{metric}`", ascending)
    assert state["selectedColumns"][:2] == [f"metrics.`final/test/{metric}`", f"metrics.`final/test/{metric}_low`"]


def test_all_data_sets_stand_in_groups_in_the_order_of_the_plan():
    state = state_of(SEVERAL["cells"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("attributes.start_time", True)
    assert state["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "dataset"}]
    assert state["selectedColumns"][:2] == ["metrics.`final/test/accuracy`", "metrics.`final/test/rmse`"]
    assert all(state_of(view)["groupBy"] is None for key, view in SEVERAL.items() if key != "cells")


@pytest.mark.parametrize("view", SEVERAL.values(), ids=SEVERAL)
def test_what_is_selected_is_shown_in_that_order_and_has_room(view):
    state = state_of(view)
    assert state["selectedColumns"] == view.columns
    assert state["columnOrder"] == ["attributes.`Run Name`", *view.columns]
    assert set(state["columnWidths"]) == set(state["columnOrder"])
    assert all(width > 0 for width in state["columnWidths"].values())
    assert state["runsHiddenMode"] == "SHOW_ALL"


def test_names_have_room_to_their_ends():
    def width(found):
        return state_of(found["cells-circles"])["columnWidths"]["attributes.`Run Name`"]

    longer = views_of(*CIRCLES, cell("binary_crossentropy", swept={"optimizer.learning_rate": 0.123456}))
    n_letters = len("/optimizer.learning_rate=0.123456")
    assert width(longer) == width(ONE) + 6 * n_letters
    # Names of seeds are longer by their seed.
    assert ONE["seeds-stuck"].longest_name == ONE["cells-circles"].longest_name + len("/seed=1000")


def test_swept_settings_are_the_last_columns_of_the_cells_that_have_them():
    found = views_of(cell("hinge", swept={"epochs": 5}), cell("hinge", swept={"epochs": 6, "batch_size": 8}), NUMBERS)
    assert (
        found["cells"].columns[-2:] == found["cells-circles"].columns[-2:] == ["params.`epochs`", "params.`batch_size`"]
    )
    assert not any("params." in column for column in found["cells-friedman1"].columns)
    assert found["seeds-stuck"].columns[-1] == "tags.`error`"


@pytest.mark.parametrize("view", SEVERAL.values(), ids=SEVERAL)
def test_every_chart_stands_in_a_section_that_is_open(view):
    state = state_of(view)
    shown = {section["uuid"] for section in state["compareRunSections"] if section["display"]}
    # The views of several data sets draw nothing: one chart would have the values of all on one axis.
    assert shown == ({"curves", "intervals", "final"} if view.metrics else set())
    assert bool(view.metrics) == view.key.startswith("cells-")
    charts = state["compareRunCharts"]
    assert {chart["metricSectionId"] for chart in charts} == shown
    assert len({chart["uuid"] for chart in charts}) == len(charts)
    for metric in view.metrics:
        drawn = {chart["metricKey"] for chart in charts}
        assert {f"test/{metric}", f"train/{metric}", "test/loss", "train/loss", f"final/test/{metric}"} <= drawn
        (interval,) = (chart for chart in charts if chart["uuid"] == f"intervals test/{metric}")
        assert interval["selectedMetricKeys"] == [f"test/{metric}", f"test/{metric}_low", f"test/{metric}_high"]


def test_sections_that_the_ui_would_add_are_there_and_folded():
    folded = [section for section in state_of(ONE["cells-circles"])["compareRunSections"] if not section["display"]]
    assert [section["name"] for section in folded] == [
        "test", "train", "final/test", "final/train", "naive/test", "naive/train", "",
    ]  # fmt: skip
    assert all(section["isGenerated"] for section in folded)


def test_a_tag_has_room_for_a_view_of_many_metrics_and_settings():
    swept = {f"model.some_setting_{i}": i for i in range(10)}
    tasks = (("circles", "sigmoid"), ("friedman1", "linear"), ("blobs", "softmax"))
    cells = [cell("mean_squared_error", dataset=dataset, head=head, swept=swept) for dataset, head in tasks]
    assert max(len(view.content(1700000000000)) for view in views_of(*cells).values()) < 5000


@pytest.mark.parametrize(("text", "expected"), [("circles", "'circles'"), ("it's", '"it\'s"'), ('a "b"', "'a \"b\"'")])
def test_texts_are_quoted_as_searches_have_them(text, expected):
    assert quoted(text) == expected


def test_a_file_of_any_name_has_a_key_for_links():
    own = cell("hinge")
    own = replace(own, dataset="my häuser (1).csv")
    found = views_of(own)
    assert "cells-my-h-user--1-.csv" in found
    assert found["cells-my-h-user--1-.csv"].search.endswith("params.dataset = 'my häuser (1).csv'")
