"""A sweep before it runs, as plain data: its cells and what is to be known of each."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.settings import (
    CellSettings,
    ReportSettings,
    TrackingSettings,
    cell_settings,
    plain,
    report_settings,
    tracking_settings,
)
from lossbench.datasets.catalogue import described, n_outputs
from lossbench.ground.errors import Problem, UsageError
from lossbench.losses.choice import chosen_pair
from lossbench.losses.pairing import Pair
from lossbench.planning.keys import key_settings

# Of ``plan.json``: raise it when an earlier one can no longer be read as it is. Plans without it are of format 1.
FORMAT = 2
# Swept settings that make other data, and so another comparison.
OF_THE_DATA = ("dataset.", "corruption")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One combination of settings, without its seeds: one Hydra job.

    Attributes
    ----------
    name : str
        ``circles/hinge/tanh``, then ``/key=value`` for each swept key, and for ``corruption`` and ``tune`` where there
        is one.
    dataset : str
        What its data set is called: as it was chosen; a file given on the command line by its own name.
    loss : str
        The name of the loss, as chosen.
    key : str
        Hash of the settings that make its numbers.
    settings : CellSettings
        All of them, validated.
    swept : dict
        The swept keys with their values.
    overrides : list of str
        What its job is told.
    outside_domain : bool
        Whether its targets lie outside the loss's domain (marked with a dagger).
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
        """The head's name."""
        return self.settings.head.name

    @property
    def task(self) -> str:
        """The task of its data set."""
        return described(self.settings.dataset).task

    @property
    def folder(self) -> str:
        """The name of its folder: its own and 8 digits of its key."""
        slug = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", self.name)
        return f"{slug[:120]}-{self.key[:8]}"

    @property
    def label(self) -> str:
        """The loss and its swept settings by their last names, with a dagger outside the loss's domain."""
        words = [
            "tuned" if (key, value) == ("tune", "learning_rate") else f"{key.split('.')[-1]}={swept_value(key, value)}"
            for key, value in self.swept.items()
            if not key.startswith(OF_THE_DATA)
        ]
        return "/".join([self.loss + ("†" if self.outside_domain else ""), *words])

    @property
    def data(self) -> str:
        """The data set with its own swept settings and its corruption: what cells must share to be compared."""
        own = [f"{k}={swept_value(k, value)}" for k, value in self.swept.items() if k.startswith(OF_THE_DATA)]
        return "/".join([self.dataset, *own])

    @property
    def is_tuned(self) -> bool:
        """Whether a study chooses its learning rate."""
        return self.settings.is_tuned

    @property
    def pair(self) -> Pair:
        """How its loss goes with its head."""
        return chosen_pair(self.settings.loss, self.settings.head, self.task, self.n_outputs)

    @property
    def n_outputs(self) -> int:
        """How many classes, labels or numbers a target of its data set has."""
        return n_outputs(described(self.settings.dataset), self.settings.dataset)


def swept_value(key: str, value: Any) -> str:
    """Return a swept value as the name of a cell has it: without blanks, quotes and, in a path, slashes."""
    if key == "dataset.path":
        # The parts of a cell's name are divided by slashes.
        return "-".join(part for part in Path(str(value)).parts if part != "/")
    return re.sub(r"[\s'\"]", "", str(value)) if isinstance(value, list | dict) else str(value)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sweep: cells in order, all with the same seeds.

    Attributes
    ----------
    skipped : list of (name, reason)
        Combinations that cannot be.
    published : list of dict
        What others printed for some cells: dataset, loss, metric, train, test.
    claims : list of dict
        What others said in words of these cells: ``says``, and the name of a ``check``.
    hydra : list of str
        Overrides of Hydra's own config.
    report : ReportSettings
        What losses are compared with, margins, and ``metrics`` shown beside the main one.
    """

    name: str
    experiment: str | None
    command: str
    cells: list[Cell]
    seeds: list[int]
    tracking: TrackingSettings
    report: ReportSettings
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)
    rerun: str = "none"
    only_plan: bool = False

    @property
    def folder(self) -> Path:
        """Where its results lie."""
        return home() / "multirun" / self.name

    @property
    def n_runs(self) -> int:
        """How many runs it has."""
        return len(self.cells) * len(self.seeds)

    @property
    def left_out(self) -> list[tuple[str, list[str], str]]:
        """What cannot be: data set, the rest of the cells' names, and the reason that they share."""
        together: dict[tuple[str, str], list[str]] = {}
        for name, reason in self.skipped:
            dataset, _, rest = name.partition("/")
            together.setdefault((dataset, reason), []).append(rest)
        return [(dataset, names, reason) for (dataset, reason), names in together.items()]

    def to_json(self) -> str:
        """Return the plan as it is written to ``plan.json``."""
        return json.dumps({"format": FORMAT, **plain(self)}, indent=1) + "\n"


def read_plan(folder: Path) -> Plan:
    """Return the plan of the sweep whose results lie in a folder.

    Raises
    ------
    UsageError
        If the plan is of a later format.
    """
    content = json.loads((folder / "plan.json").read_text())
    found = content.pop("format", 1)
    if found > FORMAT:
        message = f"{folder / 'plan.json'} was written by a later lossbench: it has format {found}, not {FORMAT}."
        raise UsageError(Problem(message, "the command of the sweep, given again, writes it anew."))
    content["cells"] = [_read_cell(cell, found) for cell in content["cells"]]
    content["skipped"] = [tuple(entry) for entry in content["skipped"]]
    content["report"] = report_settings(content["report"])
    content["tracking"] = tracking_settings(content["tracking"])
    return Plan(**content)


def _read_cell(content: dict[str, Any], found: int) -> Cell:
    if found == 1:
        # There, the two stood in the name only.
        content["dataset"], content["loss"] = content["name"].split("/")[:2]
    return Cell(**content | {"settings": cell_settings(content["settings"])})


def changes(first: Any, second: Any) -> list[str]:
    """Return what differs between the settings of two cells, of what makes their numbers: ``key old -> new``."""
    made = _flat(key_settings(first)) | _flat(key_settings(second))
    # Of two files it is enough that they differ.
    made = {key: value for key, value in made.items() if not key.startswith("dataset.file.") or key.endswith("digest")}
    # Neutral settings are omitted above; the values are read from the full settings.
    old, new = _flat(plain(first)), _flat(plain(second))
    return [f"{key} {old.get(key)} -> {new.get(key)}" for key in made if old.get(key) != new.get(key)]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, Mapping):
        return {prefix: settings}
    children = [_flat(value, f"{prefix}.{key}" if prefix else key) for key, value in settings.items()]
    return {key: value for child in children for key, value in child.items()}
