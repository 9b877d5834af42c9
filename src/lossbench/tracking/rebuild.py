"""Writes a damaged store again from the results on disk; the damaged one is set aside, never deleted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from lossbench.findings.number_formats import counted
from lossbench.ground.files import set_aside
from lossbench.planning.plan import Plan
from lossbench.tracking.experiment import search_all
from lossbench.tracking.local_store import readable
from lossbench.tracking.process import forget_tracked, synchronise

# By these tags a run of ours is the same in the old and in the new store.
IDENTITY = ("kind", "sweep", "run_key", "cell_key", "trial_key", "seeds")


@dataclass(frozen=True)
class OldStore:
    """What can still be read of a damaged store.

    Attributes
    ----------
    others : dict
        The number of runs of each experiment that is not of the sweeps on disk.
    deleted : dict
        The identities (``IDENTITY``) of the runs that the user deleted, by experiment.
    deleted_experiments : list of str
        The experiments that the user deleted.
    n_models : int
        The number of registered models.
    """

    others: dict[str, int]
    deleted: dict[str, set[tuple[str, ...]]]
    deleted_experiments: list[str]
    n_models: int


def read_old(path: Path, sweeps: list[str]) -> OldStore:
    """Return what a damaged store still tells."""
    experiments = list(readable(path, "experiments", "experiment_id", "name", "lifecycle_stage"))
    names = {key: name for key, name, _ in experiments}
    deleted = [name for _, name, stage in experiments if stage == "deleted"]
    counts: dict[int, int] = {}
    stages = {}
    for run_id, experiment, stage in readable(path, "runs", "run_uuid", "experiment_id", "lifecycle_stage"):
        counts[experiment] = counts.get(experiment, 0) + (stage != "deleted")
        stages[run_id] = (experiment, stage)
    tags: dict[str, dict[str, str]] = {}
    for run_id, key, value in readable(path, "tags", "run_uuid", "key", "value"):
        if key in IDENTITY:
            tags.setdefault(run_id, {})[key] = value
    found = {(experiment, stage, _identity(tags.get(run_id, {}))) for run_id, (experiment, stage) in stages.items()}
    by_name: dict[str, set[tuple[str, ...]]] = {}
    for experiment, stage, identity in found:
        # A run that was trained again has a deleted one beside the live one.
        is_gone = stage == "deleted" and (experiment, "active", identity) not in found
        if is_gone and identity[0] and experiment in names:
            by_name.setdefault(names[experiment], set()).add(identity)
    ours = {name for sweep in sweeps for name in (sweep, f"{sweep}-tuning")}
    others = {name: counts.get(key, 0) for key, name in names.items() if name not in ours}
    others = {name: n for name, n in others.items() if n or name != "Default"}
    models = sum(1 for _ in readable(path, "registered_models", "name"))
    return OldStore(others, by_name, [name for name in deleted if name in ours], models)


def _identity(tags: dict[str, str]) -> tuple[str, ...]:
    return tuple(tags.get(key, "") for key in IDENTITY)


def rebuild(uri: str, path: Path, plans: list[Plan], old: OldStore) -> Iterator[tuple[str, bool]]:
    """Set a store aside and write the plans' results into a new one; yield a line for each step and if it went well."""
    for plan in plans:
        # Before the store: after a kill in between, lossbench-sync sends everything.
        forget_tracked(plan)
    if path.exists():
        aside = set_aside(path)
        for end in ("-journal", "-wal", "-shm"):
            if (beside := path.with_name(path.name + end)).exists():
                beside.rename(aside.with_name(aside.name + end))
        yield f"the damaged store is now {aside}", True
    for plan in plans:
        if plan.name in old.deleted_experiments:
            _mark_deleted(uri, plan.name)
            yield f"{plan.name}: was deleted in MLflow, and stays so", True
            continue
        problem = synchronise(plan)
        n_deleted = 0 if problem else sum(_delete(uri, name, old) for name in (plan.name, f"{plan.name}-tuning"))
        kept = f"; {counted(n_deleted, 'run')} that you deleted {'stays' if n_deleted == 1 else 'stay'} deleted"
        yield f"{plan.name}: {problem or 'written'}{kept if n_deleted else ''}", not problem


def _mark_deleted(uri: str, name: str) -> None:
    client = MlflowClient(uri)
    client.delete_experiment(client.create_experiment(name))


def _delete(uri: str, name: str, old: OldStore) -> int:
    """Delete those runs of an experiment that were deleted in the old store, and return how many."""
    client, gone = MlflowClient(uri), old.deleted.get(name, set())
    experiment = client.get_experiment_by_name(name) if gone else None
    if experiment is None:
        return 0
    runs: list[Run] = search_all(client, experiment.experiment_id, "", ViewType.ACTIVE_ONLY)
    found = [run.info.run_id for run in runs if _identity(run.data.tags) in gone]
    for run_id in found:
        client.delete_run(run_id)
    return len(found)


def processes_with(path: Path) -> list[int]:
    """Return the processes that have a file open, without this one; empty where the system does not tell."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = {os.readlink(link) for link in (process / "fd").iterdir()}
        except OSError:
            # It has ended, or is another user's.
            continue
        if str(path.resolve()) in files and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found
