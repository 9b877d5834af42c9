"""A full disk, of results, the store or temporary files: with room again the same command ends well."""

from pathlib import Path

import pytest
from support.disks import mounted
from support.faults import amount
from support.invariants import check, records
from support.places import Place

from lossbench.results.part_files import FINISHED, read_run

COMMAND = ["-m", "dataset=circles", "loss=bce,hinge", "seeds=10", "epochs=20", "report.yardsticks=false", "name=full"]
# Kilobytes that are free.
LEVELS = [0, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096]
CASES = [(of, free) for of in ("results", "store", "temporary") for free in LEVELS]
SLICE = [("results", 128), ("store", 512), ("temporary", 0)]


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> Path:
    place = Place(tmp_path_factory.mktemp("usual"))
    assert place.run(*COMMAND).status == 0
    return place.sweep("full") / "results.csv"


@pytest.mark.parametrize(("of", "free"), amount(SLICE, CASES))
def test_with_room_the_same_command_ends_as_if_nothing_had_happened(tmp_path, usual, of, free):
    place = Place(tmp_path)
    folder = {"results": place.work / "multirun", "store": place.work / "mlruns", "temporary": place.temporary}[of]
    with mounted(folder, megabytes=50) as small:
        small.fill(free)
        # With programs of its own, among the temporary files.
        done = place.run(*COMMAND, TF_XLA_FLAGS="")
        there = {path: digest for path, digest in records(place).items() if read_run(path).info.status == FINISHED}
        assert "Traceback" not in done.out + done.err
        if of == "results" and free < 64:
            assert done.status == 3
        if done.status == 3:
            first, second = done.err.splitlines()
            assert first.startswith("error: out of disk")
            assert second.startswith("  hint: ")
        elif done.status == 1:
            # A record that says so still fitted.
            assert "failed for want of room; the same command runs them again" in done.out
        else:
            # Nothing but what comes after the runs was lost, and it is said.
            assert (done.status, done.err, len(there)) == (0, "", 20)
            lost = "MLflow could not be written" in done.out or "the report could not be written" in done.out
            assert lost or free >= 512 or of == "temporary"
        small.make_room()
        again = place.run(*COMMAND)
        assert (again.status, again.err) == (0, ""), again.out
        found = records(place)
        assert {path: found[path] for path in there} == there
        check(place, "full", whole=usual)
