"""Suggests what a user meant by a key or a word that lossbench does not have."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path

from lossbench.config.settings import DatasetSettings, FileSettings
from lossbench.ground.errors import Problem

# Words of other tools for a setting.
SYNONYMS = {
    **dict.fromkeys(("lr", "learningrate", "alpha", "eta", "step_size"), "optimizer.learning_rate"),
    **dict.fromkeys(("epoch", "n_epochs", "num_epochs", "max_epochs", "iterations"), "epochs"),
    **dict.fromkeys(("batch", "batchsize", "bs", "minibatch"), "batch_size"),
    **dict.fromkeys(("n_seeds", "num_seeds", "n_runs", "runs", "repeats", "replicates", "random_seed"), "seeds"),
    **dict.fromkeys(
        ("hidden", "units", "width", "n_units", "hidden_size", "hidden_layers", "neurons"), "model.hidden_units"
    ),
    **dict.fromkeys(("drop", "dropout_rate", "p_drop"), "model.dropout"),
    **dict.fromkeys(("l2_reg", "regularization", "penalty"), "model.l2"),
    **dict.fromkeys(("act", "nonlinearity"), "model.activation"),
    **dict.fromkeys(("clip", "clip_norm", "gradient_clipping", "max_norm"), "optimizer.clipnorm"),
    **dict.fromkeys(("file", "csv", "filename", "csv_path", "data_path", "input"), "dataset.path"),
    **dict.fromkeys(("label", "labels", "y", "target_column", "response"), "dataset.target"),
    **dict.fromkeys(("data", "datasets"), "dataset"),
    **dict.fromkeys(("losses", "criterion", "loss_function", "objective"), "loss"),
    **dict.fromkeys(("opt", "optim"), "optimizer"),
    **dict.fromkeys(("network", "net", "arch", "architecture"), "model"),
    **dict.fromkeys(("scheduler", "lr_schedule", "lr_scheduler"), "schedule"),
    **dict.fromkeys(("n_trials", "num_trials", "budget"), "tune.trials"),
    **dict.fromkeys(("early_stop", "earlystopping"), "early_stopping.patience"),
    **dict.fromkeys(("noise_rate", "label_noise"), "corruption.rate"),
}
# A network's depth has no setting of its own.
DEPTH = ("depth", "layers", "n_layers", "num_layers", "n_hidden", "hidden_layer_sizes")
# The settings that only a file has.
OF_FILES = {each.name for each in fields(FileSettings)} - {each.name for each in fields(DatasetSettings)} - {"file"}
# From this likeness (of ``difflib``) on, a word is taken for a misspelt other one.
ALIKE = 0.6


def hint_of_key(key: str, known: Iterable[str]) -> str:
    """Return the hint that names the key meant by an unknown one, or '' if none is like it.

    Parameters
    ----------
    key : str
        The unknown key. Where it begins with a group (``optimizer.lr``), it is compared by what stands after that.
    known : iterable of str
        The keys and groups that can be set.
    """
    there, last = list(known), key.split(".")[-1].lower()
    if last in DEPTH:
        sets = "'model.hidden_units=[50,50]' sets two hidden layers of 50 units each."
        return sets if "model.hidden_units" in there else f"model=mlp {sets}"
    if SYNONYMS.get(last) in there:
        return _did_you_mean(SYNONYMS[last])
    if key == "dataset.target" and "dataset.y" in there:
        return _did_you_mean("dataset.y")
    if key.startswith("dataset.") and last in OF_FILES | {"file"} and "dataset.path" not in there:
        return "that is a setting of a file, which needs its path: dataset.path=house.csv dataset.target=price"
    if SYNONYMS.get(last) in ("dataset.path", "dataset.target"):
        return "a file is chosen by its path and its target: dataset.path=house.csv dataset.target=price"
    same = [name for name in there if name != key and name.split(".")[-1] == last]
    if same:
        return f"did you mean {' or '.join(map(repr, same))}?"
    return _near(key, there)


def _near(key: str, known: list[str]) -> str:
    """Return the hint with the most similar key: of the same group, or of all if the key names no group."""
    group, dot, rest = key.partition(".")
    own = {name.partition(".")[2]: name for name in known if dot and name.startswith(f"{group}.")}
    if own:
        near = difflib.get_close_matches(rest, own, n=1, cutoff=ALIKE)
        return _did_you_mean(own[near[0]]) if near else ""
    ends = {name.split(".")[-1]: name for name in reversed(known)}
    near = difflib.get_close_matches(key, known, n=1, cutoff=ALIKE)
    near = near or [ends[end] for end in difflib.get_close_matches(key, ends, n=1, cutoff=ALIKE)]
    return _did_you_mean(near[0]) if near else ""


def _did_you_mean(name: str) -> str:
    return f"did you mean {name!r}?"


def problem_of_word(text: str, choices: Mapping[str, Iterable[str]]) -> Problem:
    """Return the problem of an argument that is not of the form ``key=value``.

    Parameters
    ----------
    choices : mapping of str to iterable of str
        The names that can be chosen in each group.
    """
    said = f"{text!r} is not of the form key=value."
    if "=" in text or set(text) & set("[](){}\"'"):
        return Problem(said, "brackets and quotes must be closed; see lossbench --help")
    if text in choices:
        return Problem(said, f"name a choice: {text}=…; `lossbench-list {text}` shows all.")
    if Path(text).suffix or Path(text).exists():
        return Problem(said, f"a file of yours: dataset.path={text} dataset.target=…, the name of a column.")
    names = {name: group for group, some in choices.items() for name in some if name not in ("auto", "none")}
    near = difflib.get_close_matches(text, names, n=1, cutoff=ALIKE)
    if not near:
        return Problem(said, "name what you set, such as dataset=circles or seeds=5; see lossbench --help")
    meant = [f"{group}={near[0]}" for group, some in choices.items() if near[0] in some]
    return Problem(said, f"did you mean {' or '.join(meant)}?")


def problems_of_options(options: list[str], argv: list[str], keys: Iterable[str]) -> list[Problem]:
    """Return the problems of options that lossbench does not have, such as ``--seeds 5``.

    Parameters
    ----------
    options : list of str
        The unknown options as they were typed.
    argv : list of str
        The whole command line: an option's value may be the argument after it.
    """
    known, problems = list(keys), []
    for option in options:
        name, equals, value = option.lstrip("-").partition("=")
        name = name.replace("-", "_")
        after = argv[argv.index(option) + 1 :][:1] if option in argv and not equals else []
        value = value if equals else next((text for text in after if not re.search("^-|=", text)), "…")
        hint = re.search("'([^']*)'", hint_of_key(name, known)) if name not in known else None
        told = f"{hint[1]}={value}" if hint and "=" not in hint[1] else hint[1] if hint else f"{name}={value}"
        said = f"lossbench has no option {option!r}; settings are written without dashes."
        problems.append(Problem(said, f"{told}; see lossbench --help for the options."))
    return problems
