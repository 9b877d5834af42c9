"""How work says what it is at: to a process that follows it, or to nobody."""

from collections.abc import Callable
from contextlib import AbstractContextManager

# Given a name of what begins, it returns a block that says at its end that this has ended.
# ``contextlib.nullcontext`` is one that tells nobody.
Doing = Callable[[str], AbstractContextManager]
