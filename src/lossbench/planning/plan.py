"""The plan of a sweep: its cells, seeds and report settings, and how ``plan.json`` stores them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.settings import (
    SAMPLES,
    SEEDS,
    CellSettings,
    ReportSettings,
    TrackingSettings,
    cell_settings,
    plain,
    report_settings,
    tracking_settings,
)
from lossbench.datasets.catalogue import described, n_outputs
from lossbench.ground.errors import DamagedFileError, Problem, UsageError
from lossbench.ground.files import read_json
from lossbench.ground.run_ids import RunId
from lossbench.losses.choice import chosen_pair
from lossbench.losses.pairing import Pair
from lossbench.metrics.catalogue import MAIN_METRICS
from lossbench.planning.keys import NEUTRAL, key_settings

# The format of ``plan.json``. Increase it when plans in the earlier format need a conversion. Plans without a format
# have format 1; up to format 2 all cells have the same list of seeds.
FORMAT = 3
# Swept settings with these prefixes change the data or the metric, and losses are only compared on the same data, by
# the same metric.
OF_THE_DATA = ("dataset.", "corruption", "repeat", "metric")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination of settings, without its seeds: one Hydra job.

    Attributes
    ----------
    name : str
        ``circles/hinge/tanh``, then ``/key=value`` for each swept key; also for ``corruption`` and ``tune`` if used.
    dataset : str
        The name of the data set: its choice, or the file's name.
    loss : str
        The name of the loss, as chosen.
    key : str
        Hash of the settings that affect the results.
    settings : CellSettings
        All settings, validated.
    swept : dict
        The swept keys with their values.
    overrides : list of str
        The Hydra overrides of its job.
    outside_domain : bool
        Whether the targets lie outside the loss's domain (marked with a dagger).
    """

    name: str
    dataset: str
    loss: str
    key: str
    settings: CellSettings
    swept: dict[str, Any]
    overrides: list[str]
    outside_domain: bool

    @property
    def head(self) -> str:
        """The name of the head."""
        return self.settings.head.name

    @property
    def task(self) -> str:
        """The task of the data set."""
        return described(self.settings.dataset).task

    @property
    def metric(self) -> str:
        """The main metric: what its runs are judged, stopped, tuned and called stuck by."""
        return self.settings.metric or MAIN_METRICS[self.task]

    @cached_property
    def folder(self) -> str:
        """The name of its folder: the cell's name and 8 digits of its key."""
        # The key tells cells apart; the name, cut to 120 characters, is for people.
        slug = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", self.name)
        return f"{slug[:120]}-{self.key[:8]}"

    @property
    def label(self) -> str:
        """The name in tables: loss, dagger if outside its domain, and swept settings without their groups."""
        words = [
            "tuned" if (key, value) == ("tune", "learning_rate") else f"{key.split('.')[-1]}={swept_value(key, value)}"
            for key, value in self.swept.items()
            if not key.startswith(OF_THE_DATA)
        ]
        return "/".join([self.loss + ("†" if self.outside_domain else ""), *words])

    @property
    def data(self) -> str:
        """The data set with its swept settings and corruption; only cells with equal ``data`` are compared."""
        own = [f"{k}={swept_value(k, value)}" for k, value in self.swept.items() if k.startswith(OF_THE_DATA)]
        return "/".join([self.dataset, *own])

    @property
    def is_tuned(self) -> bool:
        """Whether a study chooses the cell's learning rate."""
        return self.settings.is_tuned

    @property
    def pair(self) -> Pair:
        """The pair of its loss and head."""
        return chosen_pair(self.settings.loss, self.settings.head, self.task, self.n_outputs)

    @property
    def n_outputs(self) -> int:
        """The number of classes, of labels, or of target columns of its data set."""
        return n_outputs(described(self.settings.dataset), self.settings.dataset)


def swept_value(key: str, value: Any) -> str:
    """Return a swept value as text for a cell's name, without blanks, quotes and, in a path, slashes."""
    if key == "dataset.path":
        # Slashes separate the parts of a cell's name.
        return "-".join(part for part in Path(str(value)).parts if part != "/")
    return re.sub(r"[\s'\"]", "", str(value)) if isinstance(value, list | dict) else str(value)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sweep: cells in order, all that repeat the same (``repeat``) with the same seeds.

    Attributes
    ----------
    seeds : dict
        The seeds, by what cells repeat: ``{"folds": [0, 1, 2]}``.
    skipped : list of (name, reason)
        Invalid combinations.
    published : list of dict
        Published values of some cells: dataset, loss, metric, train, test.
    claims : list of dict
        Published statements about these cells: ``says``, and the name of the ``check`` that tests it.
    hydra : list of str
        Overrides of Hydra's own configuration.
    report : ReportSettings
        Baseline, margins, and the ``metrics`` shown beside the main one.
    """

    name: str
    experiment: str | None
    command: str
    cells: list[Cell]
    seeds: dict[str, list[int]]
    tracking: TrackingSettings
    report: ReportSettings
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)
    rerun: str = "none"
    timeout: float | None = None
    only_plan: bool = False

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return home() / "multirun" / self.name

    @property
    def n_runs(self) -> int:
        """The number of runs."""
        return sum(len(self.runs(cell)) for cell in self.cells)

    def runs(self, cell: Cell) -> list[RunId]:
        """Return the runs of a cell."""
        repeat = cell.settings.repeat
        return repeat.runs(self.seeds[repeat.name])

    @property
    def left_out(self) -> list[tuple[str, list[str], str]]:
        """The skipped combinations, grouped: data set, the rest of their names, and their common reason."""
        together: dict[tuple[str, str], list[str]] = {}
        for name, reason in self.skipped:
            dataset, _, rest = name.partition("/")
            together.setdefault((dataset, reason), []).append(rest)
        return [(dataset, names, reason) for (dataset, reason), names in together.items()]

    def to_json(self) -> str:
        """Return the content of ``plan.json``."""
        return json.dumps({"format": FORMAT, **plain(self)}, indent=1) + "\n"


def read_plan(folder: Path) -> Plan:
    """Return the plan of the sweep in a folder.

    Raises
    ------
    DamagedFileError
        If it cannot be read.
    UsageError
        If the plan is of a later format.
    """
    path = folder / "plan.json"
    content = read_json(path, _again(folder))
    found = content.pop("format", 1)
    if type(found) is int and found > FORMAT:
        message = f"{path} was written by a later lossbench: it has format {found}, not {FORMAT}."
        raise UsageError(Problem(message, "the command of the sweep, given again, writes it anew."))
    try:
        return _read(content, found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else f"it is no plan ({error})"
        raise DamagedFileError(path, reason, _again(folder)) from None


def _again(folder: Path) -> str:
    """Return what makes a damaged plan again: the sweep's command, which the report has too."""
    again = "the command of the sweep, given again, writes it anew and keeps what is finished"
    try:
        lines = (folder / "report.md").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    commands = [line.strip("`") for line in lines[:5] if line.startswith("`lossbench")]
    return f"{again}: {commands[0]}" if commands else f"{again}; with name={folder.name} if it had no other name."


def _read(content: dict[str, Any], found: int) -> Plan:
    content["cells"] = [_read_cell(cell, found) for cell in content["cells"]]
    if found <= 2:
        content["seeds"] = dict.fromkeys((SEEDS, SAMPLES), content["seeds"])
    content["skipped"] = [tuple(entry) for entry in content["skipped"]]
    content["report"] = report_settings(content["report"])
    content["tracking"] = tracking_settings(content["tracking"])
    return Plan(**content)


def _read_cell(content: dict[str, Any], found: int) -> Cell:
    if found == 1:
        # Format 1 has no fields for data set and loss: read them from the name.
        content["dataset"], content["loss"] = content["name"].split("/")[:2]
    return Cell(**content | {"settings": cell_settings(content["settings"])})


def changes(first: Any, second: Any) -> list[str]:
    """Return the differences between two cells in the settings that affect results, as ``key old -> new``."""
    made = _flat(key_settings(first)) | _flat(key_settings(second))
    # Settings from before a group existed do not contain it.
    first, second = ({**NEUTRAL, **plain(settings)} for settings in (first, second))
    # For files only the digests are compared; the other facts follow from the content.
    made = {key: value for key, value in made.items() if not key.startswith("dataset.file.") or key.endswith("digest")}
    # Neutral settings are omitted above; read old and new values from the full settings.
    old, new = _flat(first), _flat(second)
    differing = [key for key in made if old.get(key) != new.get(key)]
    # Another choice of a group has other settings; its name says so.
    others = {key.removesuffix("name") for key in differing if key.endswith(".name")}
    shown = [key for key in differing if key.endswith(".name") or not key.startswith(tuple(others))]
    return [f"{key.removesuffix('.name')} {old.get(key)} -> {new.get(key)}" for key in shown]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        return {prefix: settings}
    children = [_flat(value, f"{prefix}.{key}" if prefix else key) for key, value in settings.items()]
    return {key: value for child in children for key, value in child.items()}
