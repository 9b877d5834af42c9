"""Seeds and the random streams derived from them.

A run has one seed. Each purpose (initial weights, batch order, corruption, dropout) has its own stream, so that cells
with the same seed start from the same weights and see the same batches, whatever else differs between them.
"""

import numpy as np

# One independent stream for each purpose: drawing more numbers from one never changes another. The stream numbers must
# never change: every recorded result depends on them.
STREAMS = {"init": 0, "order": 1, "noise": 2, "dropout": 3}


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random generator of a seed for one purpose, a key of ``STREAMS``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS[purpose],)))


def batch_orders(seed: int, n_samples: int, epochs: int):
    """Yield the order of the training samples for each epoch of a run.

    Yields
    ------
    int32 array, shape (n_samples,)
        A permutation of the samples. It does not depend on ``epochs``: a longer training begins with the same orders.
    """
    rng = stream(seed, "order")
    for _ in range(epochs):
        yield rng.permutation(n_samples).astype(np.int32)


def parse_seeds(value: object) -> list[int]:
    """Return a configured value as a list of seeds: a count ``n`` means 0 to n - 1; a list loses its repetitions.

    Raises
    ------
    ValueError
        If the value is neither, or the list is empty or has a negative seed.
    """
    # bool is a subclass of int: ``seeds: true`` must not mean one seed.
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"seeds must be a count of at least 1 or a list of seeds; got {value}.")
        return list(range(value))
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise ValueError(f"seeds must be a count of at least 1 or a list of integers from 0; got {value!r}.")
    return list(dict.fromkeys(value))
