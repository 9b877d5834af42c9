"""The thin Hydra sweeper: hands the cells of a written plan to the configured launcher, in one batch.

Hydra finds sweepers only in a module below ``hydra_plugins``, and imports it at every start: nothing heavy here.
"""

from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class PlanSweeper(Sweeper):
    """Launches the jobs that ``plan.json`` in the sweep's folder lists as open."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that the user configured."""
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch all open cells in one batch; the arguments were read when the plan was made."""
        from lossbench.jobs.launch import job_overrides

        assert self.config is not None
        assert self.launcher is not None
        folder = Path(self.config.hydra.sweep.dir)
        return self.launcher.launch(job_overrides(folder), initial_job_idx=0)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="lossbench",
    node={"_target_": "hydra_plugins.lossbench.PlanSweeper"},
    provider="lossbench",
)
