"""Computes the learning rate of each step: a schedule's shape times the cell's learning rate."""

import numpy as np

from lossbench.config.settings import FallingScheduleSettings, ScheduleSettings


def is_constant(schedule: ScheduleSettings) -> bool:
    """Return whether all steps have the same learning rate."""
    return schedule.name == "constant" and schedule.warmup_epochs == 0


def step_rates(schedule: ScheduleSettings, learning_rate: float, epochs: int, steps_per_epoch: int) -> np.ndarray:
    r"""Return the learning rate of each step.

    During the warm-up it rises linearly, from one step's share of it. After that it is constant, or falls to the share
    ``final`` = f of the learning rate: by the factor :math:`f + (1 - f) (1 + \cos \pi t) / 2` (cosine) or :math:`f^t`
    (exponential), where t rises from 0 to 1 at the last step.

    Parameters
    ----------
    schedule : ScheduleSettings
        The cell's schedule.
    learning_rate : float
        The highest learning rate, reached at the end of the warm-up.

    Returns
    -------
    float32 array, shape (epochs, steps_per_epoch)
    """
    n_steps, n_warm = epochs * steps_per_epoch, schedule.warmup_epochs * steps_per_epoch
    step = np.arange(n_steps)
    way = np.maximum(step - n_warm, 0) / max(n_steps - n_warm - 1, 1)
    if not isinstance(schedule, FallingScheduleSettings):
        shape = np.ones(n_steps)
    elif schedule.name == "cosine":
        shape = schedule.final + (1 - schedule.final) * (1 + np.cos(np.pi * way)) / 2
    else:
        shape = schedule.final**way
    shape = np.where(step < n_warm, (step + 1) / max(n_warm, 1), shape)
    return (learning_rate * shape).astype(np.float32).reshape(epochs, steps_per_epoch)
