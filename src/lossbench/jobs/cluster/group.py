"""What runs in a job of a cluster: a group of cells, one after the other, each as a Hydra job."""

import os
from dataclasses import dataclass, field
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from lossbench.ground.cores import ALLOTTED
from lossbench.jobs.cell_leases import WAITS
from lossbench.jobs.job_configs import composing_once
from lossbench.jobs.share import only
from lossbench.jobs.worker.supervision import supervisor


@dataclass(frozen=True)
class Group:
    """The cells of a job: called in the job, it trains them.

    Attributes
    ----------
    cells : list of (int, list of str, list of str)
        The number of each cell's Hydra job, its overrides, and the names of its runs; none: all that are open.
    cores : int
        How many the job was given, where no scheduler says so.
    """

    hydra_context: HydraContext
    config: DictConfig
    task_function: TaskFunction
    cells: list[tuple[int, list[str], list[str]]]
    cores: int
    state: dict[type, Singleton] = field(default_factory=Singleton.get_state)

    def __call__(self) -> None:
        """Train what is open of the cells. Begun again after a time limit, it goes on with what is open then."""
        os.environ[ALLOTTED] = os.environ.get(ALLOTTED, str(self.cores))
        os.environ[WAITS] = "yes"
        Singleton.set_state(self.state)
        setup_globals()
        context = composing_once(self.hydra_context)
        try:
            for number, overrides, runs in self.cells:
                config = context.config_loader.load_sweep_config(self.config, overrides)
                with open_dict(config):
                    config.hydra.job.id, config.hydra.job.num = f"cell {number}", number
                with only(runs):
                    run_job(
                        hydra_context=context,
                        task_function=self.task_function,
                        config=config,
                        job_dir_key="hydra.sweep.dir",
                        job_subdir_key="hydra.sweep.subdir",
                    )
        finally:
            supervisor.end()

    def checkpoint(self) -> Any:
        """Return what submitit submits again at the time limit: the same, because what is finished is on disk."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)
