"""A sweep before it runs, as plain data: its cells and what is to be known of each."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lossbench.config.paths import home
from lossbench.config.search_space import is_tuned
from lossbench.datasets.catalogue import described, n_outputs
from lossbench.losses.choice import chosen_pair
from lossbench.losses.pairing import Pair
from lossbench.planning.keys import key_settings
from lossbench.planning.schema import report_defaults

# Swept settings that make other data, and so another comparison.
OF_THE_DATA = ("dataset.", "corruption")


@dataclass(frozen=True)
class Cell:
    """One combination of settings, without its seeds: one Hydra job.

    Attributes
    ----------
    name : str
        ``circles/hinge/tanh``, then ``/key=value`` for each swept key, and for ``corruption`` and ``tune`` where there
        is one.
    key : str
        Hash of the settings that make its numbers.
    settings : dict
        All of them, typed and resolved.
    swept : dict
        The swept keys with their values.
    overrides : list of str
        What its job is told.
    outside_domain : bool
        Whether its targets lie outside the loss's domain (marked with a dagger).
    """

    name: str
    key: str
    settings: dict[str, Any]
    swept: dict[str, Any]
    overrides: list[str]
    outside_domain: bool

    @property
    def dataset(self) -> str:
        """What its data set is called: as it was chosen; a file given on the command line by its own name."""
        return self.name.split("/")[0]

    @property
    def loss(self) -> str:
        """The loss's name, as chosen."""
        return self.name.split("/")[1]

    @property
    def head(self) -> str:
        """The head's name."""
        return self.settings["head"]["name"]

    @property
    def task(self) -> str:
        """The task of its data set."""
        return described(self.settings["dataset"]).task

    @property
    def folder(self) -> str:
        """The name of its folder: its own and 8 digits of its key."""
        slug = re.sub(r"[^A-Za-z0-9._=+,-]+", "-", self.name)
        return f"{slug[:120]}-{self.key[:8]}"

    @property
    def label(self) -> str:
        """The loss and its swept settings by their last names, with a dagger outside the loss's domain."""
        swept = [part for part in self.name.split("/")[3:] if not part.startswith(OF_THE_DATA)]
        short = [f"{key.split('.')[-1]}={value}" for key, _, value in (part.partition("=") for part in swept)]
        short = ["tuned" if text == "tune=learning_rate" else text for text in short]
        return "/".join([self.loss + ("†" if self.outside_domain else ""), *short])

    @property
    def data(self) -> str:
        """The data set with its own swept settings and its corruption: what cells must share to be compared."""
        swept = [part for part in self.name.split("/")[3:] if part.startswith(OF_THE_DATA)]
        return "/".join([self.dataset, *swept])

    @property
    def is_tuned(self) -> bool:
        """Whether a study chooses its learning rate."""
        return is_tuned(self.settings)

    @property
    def pair(self) -> Pair:
        """How its loss goes with its head."""
        return chosen_pair(self.settings["loss"], self.settings["head"], self.task, self.n_outputs)

    @property
    def n_outputs(self) -> int:
        """How many classes, labels or numbers a target of its data set has."""
        dataset = self.settings["dataset"]
        return n_outputs(described(dataset), dataset)


@dataclass(frozen=True)
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
    report : dict
        What losses are compared with, margins, and ``metrics`` shown beside the main one.
    """

    name: str
    experiment: str | None
    command: str
    cells: list[Cell]
    seeds: list[int]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    published: list[dict[str, Any]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)
    tracking: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
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
        return json.dumps(asdict(self), indent=1) + "\n"


def read_plan(folder: Path) -> Plan:
    """Return the plan of the sweep whose results lie in a folder."""
    content = json.loads((folder / "plan.json").read_text())
    content["cells"] = [Cell(**cell) for cell in content["cells"]]
    content["skipped"] = [tuple(entry) for entry in content["skipped"]]
    content["report"] = content.get("report") or report_defaults()
    return Plan(**content)


def changes(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return what differs between two cells' settings, of what makes their numbers: ``key old -> new``."""
    made = _flat(key_settings(first)) | _flat(key_settings(second))
    # Of two files it is enough that they differ.
    made = {key: value for key, value in made.items() if not key.startswith("dataset.file.") or key.endswith("digest")}
    # What does nothing is not among these, but it is what something else is changed from.
    old, new = _flat(first), _flat(second)
    return [f"{key} {old.get(key)} -> {new.get(key)}" for key in made if old.get(key) != new.get(key)]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, dict):
        return {prefix: settings}
    children = [_flat(value, f"{prefix}.{key}" if prefix else key) for key, value in settings.items()]
    return {key: value for child in children for key, value in child.items()}
