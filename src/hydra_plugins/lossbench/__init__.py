"""The thin Hydra sweeper, which hands the cells of a written plan to the configured launcher, and the one of clusters.

Hydra finds them only in a module below ``hydra_plugins``, and imports it at every start: nothing heavy here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class PlanSweeper(Sweeper):
    """Launches the jobs that ``plan.json`` in the sweep's folder lists as open."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Make the launcher that the user configured."""
        self.config = config
        self.runs_jobs_here = config.hydra.launcher._target_ == BASIC
        if self.runs_jobs_here:
            from lossbench.jobs.job_configs import composing_once

            # Its jobs run in this process; those of other launchers compose their configurations where they run.
            hydra_context = composing_once(hydra_context)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Launch all open cells; the arguments were read when the plan was made."""
        from lossbench.jobs.launch import open_cells

        assert self.config is not None
        assert self.launcher is not None
        jobs = [cell.overrides for cell in open_cells(Path(self.config.hydra.sweep.dir))]
        if not self.runs_jobs_here:
            return self.launcher.launch(jobs, initial_job_idx=0)
        for number, overrides in enumerate(jobs):
            # One by one: of each job Hydra returns two copies of the configuration, which its list would keep.
            self.launcher.launch([overrides], initial_job_idx=number)
        return None


class ClusterLauncher(Launcher):
    """Has the open cells trained by jobs of a cluster, as ``conf/hydra/launcher/slurm.yaml`` says."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a job needs."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Submit the open cells in groups; what the jobs have done stands in their cells' files."""
        from lossbench.jobs.cluster.group import Group
        from lossbench.jobs.cluster.shares import Share
        from lossbench.jobs.cluster.submission import Settings, run_jobs
        from lossbench.jobs.launch import open_cells

        plain: dict[str, Any] = {
            name: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
            for name, value in self.settings.items()
        }
        settings = Settings(**plain)

        def grouped(shares: list[Share]) -> Group:
            cells = [(share.number, share.cell.overrides, share.runs) for share in shares]
            return Group(self.hydra_context, self.config, self.task_function, cells, settings.cores)

        folder = Path(self.config.hydra.sweep.dir)
        run_jobs(folder, open_cells(folder), settings, grouped)
        return []


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="lossbench",
    node={"_target_": "hydra_plugins.lossbench.PlanSweeper"},
    provider="lossbench",
)
