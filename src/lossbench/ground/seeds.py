"""What a seed is, and the random streams that it gives to a run."""

import numpy as np

# One stream a purpose: drawing more from one never changes another. The numbers are part of every result.
STREAMS = {"init": 0, "order": 1, "noise": 2, "dropout": 3}


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random generator that ``seed`` gives for a purpose of ``STREAMS``."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS[purpose],)))


def batch_orders(seed: int, n_samples: int, epochs: int):
    """Yield for each epoch the order in which a run sees its training samples.

    Yields
    ------
    int32 array, shape (n_samples,)
        A permutation; the first epochs of a longer training are those of a shorter one.
    """
    rng = stream(seed, "order")
    for _ in range(epochs):
        yield rng.permutation(n_samples).astype(np.int32)


def parse_seeds(value: object) -> list[int]:
    """Return the seeds that a config value means: a count ``n`` is 0..n-1, a list is taken as it is.

    Raises
    ------
    ValueError
        If it is neither, is empty or has a negative seed.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"seeds must be a count of at least 1 or a list of seeds; got {value}.")
        return list(range(value))
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise ValueError(f"seeds must be a count of at least 1 or a list of integers from 0; got {value!r}.")
    return list(dict.fromkeys(value))
