"""The configuration of a job, put together from parts, is what Hydra composes."""

import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf
from support.plans import plan as plan_of

from lossbench.jobs.job_configs import composing_once
from lossbench.planning.command_line import encode
from lossbench.planning.composition import hydra_started

SWEEPS = {
    "an experiment": ["experiment=tutorial"],
    "an experiment that sweeps optimizers": ["-m", "experiment=optimizers", "dataset=circles,friedman1"],
    "all losses": ["-m", "dataset=diabetes", "loss=all", "optimizer=adam", "tune=none"],
    "settings of all kinds": [
        *["-m", "dataset=moons", "loss=hinge,squared_hinge", "corruption=label_noise", "corruption.rate=0.1,0.2"],
        *["schedule=cosine", "model.hidden_units=[8,8]", "name=own", "seeds=[3,5]"],
        *["tune=learning_rate", "tune.space={optimizer.momentum: [0.1, 0.9]}"],
    ],
    "a sum of losses": ["dataset=circles", "loss=composite", "loss.terms={hinge: 0.7, squared_hinge: 0.3}"],
}


@pytest.mark.parametrize("arguments", SWEEPS.values(), ids=SWEEPS.keys())
def test_it_equals_what_hydra_composes(arguments):
    plan = plan_of(*arguments)
    common = [f"experiment={plan.experiment}"] if plan.experiment else []
    with hydra_started():
        loader = GlobalHydra.instance().config_loader()
        started = ["hydra.sweep.dir=somewhere", "hydra.mode=MULTIRUN"]
        master = loader.load_configuration("config", [*started, *common], run_mode=RunMode.MULTIRUN)
        ours = composing_once(HydraContext(config_loader=loader, callbacks=Callbacks())).config_loader
        for cell in plan.cells:
            overrides = [*common, *cell.overrides, encode("name", plan.name), encode("hydra.sweep.subdir", cell.folder)]
            expected, found = (each.load_sweep_config(master, overrides) for each in (loader, ours))
            assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)
            assert OmegaConf.is_struct(found)
