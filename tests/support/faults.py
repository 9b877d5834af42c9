"""How much of the suite in ``tests/faults`` runs: a slice with fixed seeds, or everything (``make faults``)."""

import os
from typing import TypeVar

EVERYTHING = os.environ.get("LOSSBENCH_FAULTS") == "all"
Amount = TypeVar("Amount")


def amount(of_the_slice: Amount, of_everything: Amount) -> Amount:
    """Return how much of something is tried."""
    return of_everything if EVERYTHING else of_the_slice
