"""``lossbench-remove``: removes sweeps from disk and from MLflow, after it has shown what goes."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lossbench.commands.list_sweeps import n_bytes, size, state, sweep_folders
from lossbench.config.mlflow_environment import configure_mlflow
from lossbench.config.paths import default_store, home, shown
from lossbench.findings.number_formats import counted
from lossbench.ground.errors import SUCCESS, MissingEnvironmentError, Problem, UsageError, unknown
from lossbench.ground.leases import FOLDER as LEASES
from lossbench.ground.leases import leases_of
from lossbench.ground.secrets import without_secrets
from lossbench.jobs.cluster.job_list import jobs_at_work
from lossbench.jobs.sharing import WRITER, is_at_work, sharing
from lossbench.planning.plan import read_plan
from lossbench.tracking.process import first_line, tracking_uri

if TYPE_CHECKING:
    from lossbench.tracking.removal import Found

KEEP = "--keep-mlflow"


def run(argv: list[str]) -> int:
    """Show what the named sweeps have, ask, and remove it; return the exit status."""
    parser = argparse.ArgumentParser("lossbench-remove", description="Remove sweeps from disk and from MLflow.")
    parser.add_argument("sweep", nargs="+", help="a sweep of multirun/; lossbench-list sweeps shows all")
    parser.add_argument("--yes", action="store_true", help="remove without asking")
    parser.add_argument(KEEP, action="store_true", help="leave MLflow as it is")
    arguments = parser.parse_args(argv)
    for folder in _folders(list(dict.fromkeys(arguments.sweep))):
        _check_idle(folder)
        uri = None if arguments.keep_mlflow else _store(folder)
        found = _experiments(uri, folder.name) if uri else []
        print("\n".join(_what_goes(folder, uri, found)), flush=True)
        if not arguments.yes and not _asked(folder.name):
            print(f"{folder.name} is kept.")
            continue
        with sharing(folder) as leases:
            if not leases.holds(WRITER):
                raise _busy(folder)
            _check_idle(folder)
            _remove(folder, uri, found)
        print(f"{folder.name} is removed.")
    return SUCCESS


def _folders(names: list[str]) -> list[Path]:
    known = {folder.name: folder for folder in sweep_folders()}
    wrong = [unknown("sweep", name, known, more="`lossbench-list sweeps` shows all.") for name in names]
    wrong = [problem for name, problem in zip(names, wrong, strict=True) if name not in known]
    if wrong:
        raise UsageError(*wrong)
    return [known[name] for name in names]


def _check_idle(folder: Path) -> None:
    if jobs := jobs_at_work(folder):
        message = f"jobs of a cluster are at work on {folder.name}: {', '.join(job.id for job in jobs)}."
        raise MissingEnvironmentError(Problem(message, "wait for them, or cancel them with scancel."))
    leases_of(folder).settle()
    if is_at_work(folder):
        raise _busy(folder)


def _busy(folder: Path) -> MissingEnvironmentError:
    others = " and ".join(map(str, leases_of(folder).others()))
    message = f"a lossbench is at work on {folder.name} in {folder}{others and f': {others}'}."
    return MissingEnvironmentError(Problem(message, "wait for it, or end it (Ctrl-C); then remove the sweep."))


def _store(folder: Path) -> str | None:
    """Return the address of the store that has a sweep; None if there is none."""
    try:
        plan = read_plan(folder)
        if not plan.tracking.enabled:
            return None
        uri = tracking_uri(plan)
    except (UsageError, FileNotFoundError):
        uri = None
    # MLflow would create a store that does not exist.
    return uri or (default_store() if (home() / "mlruns" / "mlflow.db").exists() else None)


def _experiments(uri: str, name: str) -> list["Found"]:
    configure_mlflow()
    try:
        # Imported after the environment is set, which MLflow reads when it is imported.
        from lossbench.tracking.removal import find

        return find(uri, name)
    except Exception as error:
        said = f"MLflow does not say what it has of {name}: {first_line(error)}"
        raise MissingEnvironmentError(Problem(said, f"{KEEP} removes the sweep from disk alone.")) from None


def _what_goes(folder: Path, uri: str | None, found: list["Found"]) -> list[str]:
    lines = [f"{folder.name}:", f"  {shown(folder)}: {size(n_bytes(folder))}, {state(folder)}"]
    for experiment in found:
        where = f"in MLflow: experiment {experiment.name}"
        lines.append(f"  {where}: {counted(len(experiment.ours), 'run')}")
        if experiment.n_others:
            others = counted(experiment.n_others, "run")
            lines.append(f"    {others} of others in it and the experiment itself stay")
    lines += [f"  {shown(path)}: {size(n_bytes(path))} of artifacts" for path in _artifacts(uri, found)]
    if uri is None:
        lines.append("  MLflow stays as it is")
    elif not found:
        lines.append(f"  nothing of it is in MLflow ({without_secrets(uri)})")
    return lines


def _artifacts(uri: str | None, found: list["Found"]) -> list[Path]:
    """Return the folders of artifacts that go: those of whole experiments in the store on this disk."""
    if uri != default_store():
        return []
    paths = [home() / "mlruns" / "artifacts" / experiment.name for experiment in found if not experiment.n_others]
    return [path for path in paths if path.is_dir()]


def _asked(name: str) -> bool:
    """Ask, and return whether the answer is yes; without a terminal nobody can answer."""
    if not sys.stdin.isatty():
        raise UsageError(Problem(f"nobody can be asked whether to remove {name}.", "add --yes"))
    try:
        return input(f"remove {name}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _remove(folder: Path, uri: str | None, found: list["Found"]) -> None:
    """Remove a sweep from MLflow and then from disk, so that after a kill the same command removes the rest."""
    artifacts = _artifacts(uri, found)
    for experiment in found:
        from lossbench.tracking.removal import remove

        remove(uri or "", experiment)
    for path in artifacts:
        shutil.rmtree(path)
    for path in folder.iterdir():
        # The leases go last: a folder without them and without a plan is no sweep any more.
        if path.name != LEASES:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(folder)
