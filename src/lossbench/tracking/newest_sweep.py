"""Finds the newest sweep on disk that is in a store, and the address of its first view in the UI."""

from collections.abc import Collection
from contextlib import suppress

from lossbench.config.paths import home
from lossbench.ground.errors import UsageError
from lossbench.planning.plan import Plan, read_plan
from lossbench.tracking.saved_views import TRAINING, View, views


def newest_sweep(experiments: Collection[str]) -> Plan | None:
    """Return the newest plan that has an experiment of its name among these; None if there is none."""
    plans = [path for path in (home() / "multirun").glob("*/plan.json") if path.parent.name in experiments]
    for path in sorted(plans, key=lambda path: path.stat().st_mtime, reverse=True):
        # The plan of another version of lossbench may not be readable.
        with suppress(OSError, UsageError):
            return read_plan(path.parent)
    return None


def address_of(view: View, experiment_id: str) -> str:
    """Return the part of a view's address after that of the server."""
    return f"/#/experiments/{experiment_id}/runs?{TRAINING}&viewStateShareKey={view.key}"


def first_address(plan: Plan, experiment_id: str) -> str:
    """Return the address of the view that answers which loss is best, as ``address_of``."""
    return address_of(views(plan)[0], experiment_id)
