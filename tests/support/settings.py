"""Settings for tests that need no plan: the shipped choices, changed where a test wants it."""

from typing import Any

from omegaconf import OmegaConf

from lossbench.config.paths import conf_folder
from lossbench.config.settings import CellSettings, DatasetSettings, cell_settings, group_settings, plain

GROUPS = {
    "dataset": "circles",
    "model": "mlp",
    "optimizer": "sgd",
    "schedule": "constant",
    "corruption": "none",
    "tune": "none",
}
# Of a small cell; a test names what it is about.
COMMON = {
    "head": {"name": "linear", "encoding": "auto"},
    "loss": {"name": "mean_squared_error"},
    "epochs": 5,
    "batch_size": 32,
    "evaluate_every": 1,
    "early_stopping": {"patience": None, "min_delta": 0.0},
    "select": "last",
    "trainer": "compiled",
}


def shipped(group: str, name: str, **changed: Any) -> dict[str, Any]:
    """Return the plain settings of a choice in ``conf/``."""
    settings: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / group / f"{name}.yaml"))
    return {**settings, **changed}


def dataset_settings(name: str, **changed: Any) -> DatasetSettings:
    """Return the settings of a shipped data set; a mapping changes what it names of a nested one."""
    content = shipped("dataset", name)
    for key, value in changed.items():
        content[key] = {**content[key], **value} if isinstance(value, dict) else value
    return group_settings("dataset", content)


def cell_with(**given: Any) -> CellSettings:
    """Return the settings of a small cell, some of them given in their plain form."""
    content: dict[str, Any] = {group: shipped(group, name) for group, name in GROUPS.items()}
    optimizer = {"clipnorm": None, "clipvalue": None, "global_clipnorm": None, **given.pop("optimizer", {})}
    content["optimizer"] = optimizer if "name" in optimizer else content["optimizer"]
    return cell_settings(content | COMMON | {key: plain(value) for key, value in given.items()})


def report_defaults() -> dict[str, Any]:
    """Return the report's plain settings as they stand in ``conf/config.yaml``."""
    return OmegaConf.to_container(OmegaConf.load(conf_folder() / "config.yaml").report)  # type: ignore[return-value]
