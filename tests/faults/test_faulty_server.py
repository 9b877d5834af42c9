"""A server that is away, slow or wrong: training goes on, and in the end MLflow has every run exactly once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.invariants import check, check_records, check_store, records
from support.places import Place
from support.processes import wait_for
from support.proxy import CLOSED, ERROR_500, LOST, NO_ENTRY, NOTHING, PAGE, PASS, SLOWLY, Proxy, proxy
from support.servers import mlflow_server

COMMAND = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=3", "seeds=3", "report.yardsticks=false"]
# The requests of a sweep like this one, about.
MIDDLE = 25


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[tuple[Path, int]]:
    """A folder and the port of a real server that keeps its store there."""
    folder = tmp_path_factory.mktemp("served")
    with mlflow_server(folder) as port:
        yield folder, port


@pytest.fixture
def between(served) -> Iterator[Proxy]:
    with proxy(served[1]) as own:
        yield own


def check_server(served: tuple[Path, int], place: Place, name: str) -> None:
    check(place, name, tracked=False)
    check_store(served[0] / "server.db", check_records(place, name), name)


SCRIPTS = [
    pytest.param(lambda n, *_: CLOSED, True, id="away", marks=pytest.mark.slow),
    pytest.param(lambda n, *_: CLOSED if n > MIDDLE else PASS, True, id="gone-in-the-middle"),
    pytest.param(lambda n, *_: CLOSED if n == MIDDLE else PASS, False, id="away-for-a-moment", marks=pytest.mark.slow),
    pytest.param(lambda n, *_: SLOWLY, False, id="slow", marks=pytest.mark.slow),
    pytest.param(lambda n, *_: ERROR_500 if n > MIDDLE else PASS, True, id="status-500"),
    pytest.param(lambda n, *_: PAGE if n > MIDDLE else PASS, True, id="a-page", marks=pytest.mark.slow),
    pytest.param(lambda n, *_: NO_ENTRY if n > MIDDLE else PASS, True, id="status-401", marks=pytest.mark.slow),
    pytest.param(lambda n, method, path: LOST if n % 5 == 0 and method == "POST" else PASS, False, id="lost-answers"),
    pytest.param(
        lambda n, method, path: LOST if "runs/create" in path else PASS,
        True,
        id="no-answer-to-create",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("script", "fails"), SCRIPTS)
def test_in_the_end_a_server_has_every_run_exactly_once(request, tmp_path, served, between, script, fails):
    name = request.node.callspec.id
    place, between.script = Place(tmp_path), script
    done = place.run(*COMMAND, f"name={name}", f"tracking.uri={between.address}")
    assert (done.status, done.err) == (0, "")
    assert "Traceback" not in done.out
    if fails:
        assert "MLflow could not be written" in done.out
        assert "lossbench-sync" in done.out
    between.script = lambda *_: PASS
    synced = place.run(name, command="lossbench-sync")
    assert (synced.status, synced.err) == (0, ""), synced.out
    check_server(served, place, name)
    n_asked = between.n_asked
    assert place.run(name, command="lossbench-sync").out == f"{name}: MLflow has everything\n"
    assert between.n_asked == n_asked


def test_training_does_not_wait_for_a_server_that_does_not_answer(tmp_path, served, between):
    place, between.script = Place(tmp_path), lambda *_: NOTHING
    process = place.start(*COMMAND, "name=silent", f"tracking.uri={between.address}")
    wait_for(lambda: (place.sweep("silent") / "report.html").exists())
    assert len(records(place)) == 6
    assert between.n_passed == 0
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 0, out
    assert "MLflow could not be written" in out
    between.script = lambda *_: PASS
    synced = place.run("silent", command="lossbench-sync")
    assert synced.status == 0, synced.out
    check_server(served, place, "silent")
