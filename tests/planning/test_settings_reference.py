"""The reference of all keys: complete, explained, and true to the types and conf/."""

import pytest
from omegaconf import OmegaConf

from lossbench.config.paths import conf_folder
from lossbench.config.settings import GROUPS_OF_A_CELL, CellSettings, SweepSettings, keys_of
from lossbench.planning.command_line import choices_of
from lossbench.planning.schema import schema
from lossbench.planning.settings_reference import VALUES, Setting, comments, settings_of, settings_outside_groups

CHOICES = [(group, choice) for group in GROUPS_OF_A_CELL for choice in choices_of(group)]


def flat(content, above="") -> list[str]:
    return [
        key
        for name, value in content.items()
        for key in (flat(value, f"{above}{name}.") if isinstance(value, dict) and value else [above + name])
    ]


def test_the_keys_outside_the_groups_are_those_of_the_types_and_each_is_explained():
    settings = settings_outside_groups()
    own = [key for kind in (CellSettings, SweepSettings) for key in keys_of(kind)]
    assert sorted(s.key for s in settings) == sorted(key for key in own if key.split(".")[0] not in GROUPS_OF_A_CELL)
    assert not [s.key for s in settings if not s.meaning or not s.kind]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_the_keys_of_a_choice_are_those_of_its_type_and_each_is_explained(group, choice):
    settings = settings_of(group, choice)
    wanted = flat(OmegaConf.to_container(OmegaConf.structured(schema(group, choice)), throw_on_missing=False))
    assert {s.key for s in settings} == {f"{group}.{key}" for key in wanted if key != "name"}
    assert not [s.key for s in settings if not s.meaning]
    assert not [s.key for s in settings if s.kind == "any"]


def test_defaults_of_keys_with_a_list_of_values_are_among_them():
    settings = [*settings_outside_groups(), *(s for group, choice in CHOICES for s in settings_of(group, choice))]
    assert VALUES.keys() <= {s.key for s in settings}
    wrong = [s for s in settings if s.key in VALUES and s.default not in (*s.values, "null", "[]")]
    assert not wrong


@pytest.mark.parametrize(
    ("group", "choice", "setting"),
    [
        (
            "optimizer",
            "sgd",
            Setting(
                "optimizer.momentum",
                "number from 0 to below 1",
                "0.9",
                "share of the last step that is added to a step",
            ),
        ),
        # Of a loss, from the catalogue.
        ("loss", "pinball", Setting("loss.quantile", "number above 0 to below 1", "0.5", "the level tau")),
        # Explained in another file of the group.
        (
            "dataset",
            "circles",
            Setting("dataset.n_samples", "whole number from 2", "1000", "of all splits together"),
        ),
        ("model", "custom", Setting("model.shape", "list of whole numbers or null", "null", "")),
    ],
    ids=lambda value: value.key if isinstance(value, Setting) else None,
)
def test_a_setting(group, choice, setting):
    (found,) = [s for s in settings_of(group, choice) if s.key == setting.key]
    assert (found.kind, found.default) == (setting.kind, setting.default)
    assert not setting.meaning or found.meaning == setting.meaning


def test_comments_go_on_below_and_follow_the_nesting(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1 # first\n     # and more\n# of nothing\nb:\n  c: x # of c\nd: {e: 1}\n")
    assert comments(path) == {"a": "first and more", "b.c": "of c"}
    assert "preparing and compiling" in comments(conf_folder() / "config.yaml")["timeout"]
