"""Plans, and what is said where there can be none."""

import pytest

from lossbench.ground.errors import UsageError
from lossbench.planning.command_line import read_flags, read_overrides
from lossbench.planning.planner import make_plan


def plan(*argv: str):
    flags = read_flags(list(argv))
    return make_plan(read_overrides(flags.overrides, multirun=flags.multirun), "lossbench")


def message(*argv: str) -> str:
    with pytest.raises(UsageError) as error:
        plan(*argv)
    return str(error.value)
