"""The identity of a run within its cell: its seed and, where runs are those of a cross-validation, its fold."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NAME = re.compile(r"(?:repetition=(\d+),fold=(\d+),)?seed=(\d+)")


@dataclass(frozen=True)
class RunId:
    """A seed, or a seed in a fold of a repetition.

    Attributes
    ----------
    seed : int
        From 0 on; in a cross-validation, each fold has the same seeds.
    repetition, fold : int or None
        The repetition of a cross-validation and its fold, both counted from 0; None where all runs are trained on the
        same rows, or on all rows.

    Examples
    --------
    >>> RunId(3).name, RunId(1, repetition=0, fold=4).name
    ('seed=3', 'repetition=0,fold=4,seed=1')
    """

    seed: int
    repetition: int | None = None
    fold: int | None = None

    @property
    def name(self) -> str:
        """The identity as text, as in the name of the run's part file."""
        place = "" if self.fold is None else f"repetition={self.repetition},fold={self.fold},"
        return f"{place}seed={self.seed}"

    @property
    def short(self) -> str:
        """The identity as digits: the seed, or repetition, fold and seed."""
        return str(self.seed) if self.fold is None else f"{self.repetition}.{self.fold}.{self.seed}"

    @property
    def split(self) -> tuple[int, int] | None:
        """The repetition and the fold; None where runs are not those of a cross-validation."""
        return None if self.repetition is None or self.fold is None else (self.repetition, self.fold)

    @property
    def order(self) -> tuple[int, int, int]:
        """What runs of a cell are sorted by."""
        return (*(self.split or (-1, -1)), self.seed)

    @cached_property
    def training_seed(self) -> int:
        """The seed that initial weights, batch order and noise are drawn from.

        Each fold has seeds of its own, so that the luck of one seed is not in all folds.
        """
        if self.split is None:
            return self.seed
        return int(np.random.SeedSequence(self.seed, spawn_key=self.split).generate_state(1)[0])


def read_run_id(name: str) -> RunId | None:
    """Return the identity whose ``name`` this is; None if it is none."""
    found = NAME.fullmatch(name)
    if found is None:
        return None
    repetition, fold, seed = found.groups()
    return RunId(int(seed)) if fold is None else RunId(int(seed), int(repetition), int(fold))
