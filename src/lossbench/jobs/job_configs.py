"""Composes the configurations of many jobs in one process: each choice of a group once, whatever the jobs' number."""

from dataclasses import replace
from functools import cache
from typing import Any

# Hydra has no public functions that compose a job's configuration and apply overrides to it.
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from lossbench.config.settings import GROUPS_OF_A_CELL
from lossbench.planning.composition import shipped_choice
from lossbench.planning.schema import GROUPS


def composing_once(context: HydraContext) -> HydraContext:
    """Return a launcher's context in which configurations of jobs are put together from parts."""
    return replace(context, config_loader=JobConfigs(context.config_loader))  # type: ignore[arg-type]


class JobConfigs:
    """Takes the place of Hydra's config loader for a launcher whose jobs run in its own process.

    Composing a cell takes Hydra 70 ms. A group's content does not depend on the choices of other groups, as the planner
    assumes too, so what is common to all cells is composed once, and so is each choice of the user's; ours are read. A
    job's configuration is a copy of theirs with the job's values. It equals what Hydra would have composed.
    """

    def __init__(self, loader: ConfigLoaderImpl) -> None:
        self._loader = loader
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        # Neighbouring cells often differ in values alone.
        self._last: dict[tuple[str, ...], DictConfig] = {}

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Return the configuration of a job, as Hydra's own loader does."""
        overrides = [_parsed(text) for text in sweep_overrides]
        choices = tuple(text for text in sweep_overrides if _key(_parsed(text)) in GROUPS)
        if choices not in self._last:
            self._last = {choices: self._together(master_config, choices)}
        config = self._last[choices].copy()
        values = [each for each in overrides if _key(each) not in GROUPS]
        ConfigLoaderImpl._apply_overrides_to_config(values, config)
        _name_overrides(config, overrides)
        OmegaConf.copy_cache(from_config=master_config, to_config=config)
        return config

    def _together(self, master_config: DictConfig, choices: tuple[str, ...]) -> DictConfig:
        """Return the configuration of these choices, with none of a job's values."""
        common = [text for text in choices if _key(_parsed(text)) not in GROUPS_OF_A_CELL]
        config = self._whole(master_config, *common).copy()
        for text in choices:
            if text not in common:
                group, name = _key(_parsed(text)), str(_parsed(text).value())
                content = shipped_choice(group, name, config.hydra.runtime.choices.experiment)
                config[group] = self._whole(master_config, *common, text)[group] if content is None else content
                config.hydra.runtime.choices[group] = name
        return config

    def _whole(self, master_config: DictConfig, *choices: str) -> DictConfig:
        if choices not in self._composed:
            self._composed[choices] = self._loader.load_sweep_config(master_config, list(choices))
        return self._composed[choices]


@cache
def _parser() -> OverridesParser:
    return OverridesParser.create()


@cache
def _parsed(text: str) -> Override:
    return _parser().parse_override(text)


def _key(override: Override) -> str:
    return override.key_or_group


def _name_overrides(config: DictConfig, overrides: list[Override]) -> None:
    """Write the overrides of a job where Hydra notes them; those of the sweep are there already."""
    own = [override for override in overrides if not override.is_hydra_override()]
    lines: list[Any] = [override.input_line for override in own]
    config.hydra.overrides.task = lines
    config.hydra.overrides.hydra += [each.input_line for each in overrides if each.is_hydra_override()]
    names = config.hydra.job.config.override_dirname
    config.hydra.job.override_dirname = get_overrides_dirname(
        own, exclude_keys=names.exclude_keys, item_sep=names.item_sep, kv_sep=names.kv_sep
    )
