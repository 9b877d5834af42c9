"""What is open of a sweep, cut into what each job of a cluster gets."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lossbench.jobs.cluster.job_list import ClusterJob


@dataclass(frozen=True)
class OpenCell:
    """A cell, or the yardsticks of a data set, with open parts.

    Attributes
    ----------
    name : str
        Its folder's name.
    parts : dict of Path
        Their paths, by their names.
    overrides : list of str
        Its Hydra overrides.
    is_divisible : bool
        Whether several jobs may train its parts.
    """

    name: str
    parts: dict[str, Path]
    overrides: list[str]
    is_divisible: bool

    @property
    def is_open(self) -> bool:
        """Whether parts are missing."""
        return not all(path.exists() for path in self.parts.values())


@dataclass(frozen=True)
class Share:
    """What a job trains of a cell: the cell with the number of its Hydra job, and the names of parts; none: all."""

    number: int
    cell: OpenCell
    runs: list[str]


class Taken:
    """The parts that jobs have, by their cells."""

    def __init__(self, jobs: list[ClusterJob]):
        self._whole, self._parts = set[str](), defaultdict[str, set[str]](set)
        for job in jobs:
            for cell in job.cells:
                if job.runs:
                    self._parts[cell].update(job.runs)
                else:
                    self._whole.add(cell)

    def shares(self, number: int, cell: OpenCell, size: int | None) -> list[Share]:
        """Return what is open of a cell and no job has, in shares of some size; None: in one."""
        if cell.name in self._whole:
            return []
        others = self._parts.get(cell.name, set())
        left = [name for name, path in cell.parts.items() if name not in others and not path.exists()]
        if not left:
            return []
        size = size if size and cell.is_divisible else len(left)
        if size >= len(left) and not others:
            return [Share(number, cell, [])]
        return [Share(number, cell, left[start : start + size]) for start in range(0, len(left), size)]


def in_groups(shares: list[Share], size: int) -> list[list[Share]]:
    """Return groups of whole cells, and each share of a cell on its own."""
    whole = [share for share in shares if not share.runs]
    groups = [whole[start : start + size] for start in range(0, len(whole), size)]
    return groups + [[share] for share in shares if share.runs]
