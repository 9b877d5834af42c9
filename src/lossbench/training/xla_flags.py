"""How XLA compiles for the processor: flags that it reads once in a process, when it first compiles.

- Vectors as wide as the processor has them; by itself XLA takes 256 bits also where there are 512.
- Fusions by XLA's older emitters: the tutorial's programs compile in two thirds of the time and with 100 MB less, and
  networks with dropout train ten times faster. An LSTM is slower; docs/trainer.md says by how much.
- No search for operations that could run side by side: a small network has none, and the order that it gives is slower.
- Whole loops as one function, if a round of the loop accesses at most 4 MB: ``training/whole_loops.py`` says for
  which networks. Such a function may call nothing, so XLA must not put sums into calls of its library YNNPACK, as it
  does by itself; products of matrices still go there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

VARIABLE = "XLA_FLAGS"
FLAGS = (
    "--xla_cpu_prefer_vector_width=512",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_enable_concurrency_optimized_scheduler=false",
    "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=4000000",
    "--xla_cpu_experimental_ynn_fusion_type=LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
)


def all_flags() -> str:
    """Return our flags with the user's after them, which win; the name of a file of flags stands alone."""
    given = os.environ.get(VARIABLE, "").strip()
    return given if given and not given.startswith("-") else " ".join([*FLAGS, given]).strip()


@contextmanager
def flags_set() -> Iterator[None]:
    """Set the flags in the environment for a while: other libraries with an XLA of their own may not know them."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = all_flags()
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
