"""A page for each loss: its card, the drawing of its shape, its settings, a command that tries it."""

import re
from functools import cache
from typing import Any

import matplotlib
import numpy as np
from omegaconf import OmegaConf

from lossbench.commands.list_choices import loss_card
from lossbench.config.paths import conf_folder
from lossbench.config.settings import group_settings
from lossbench.datasets.catalogue import DATASETS
from lossbench.ground import quiet_tensorflow  # noqa: F401
from lossbench.losses.definition import Loss
from lossbench.losses.heads import HEADS, NUMBER_TASKS, TASKS
from lossbench.losses.pairing import BASELINES, LOSSES, canonical_head, pair
from lossbench.losses.shape import loss_shape
from lossbench.planning.candidates import why_left_out
from lossbench.planning.settings_reference import settings_of
from lossbench.report import drawing

# The number of columns of the encoded targets in a drawing, by task.
N_TARGETS = {"regression": 1, "binary": 1, "multiclass": 3, "multilabel": 3, "shares": 3}
# A matrix of costs has no default; the drawing is of this one: every mistake costs the same.
EQUAL_COSTS = (np.ones((3, 3)) - np.eye(3)).tolist()
# Costs for the three classes of the data set that the page's command takes.
COSTS = "[[0,1,1],[1,0,1],[5,5,0]]"
# Inches of a drawing's width.
SIDE = 3.6
# The headings of a card that a page says in another way.
ELSEWHERE = ("formula", "meaning")
START = """# Losses

Which loss fits which targets; the first task that a loss is made for is where it is listed. `lossbench-list loss huber`
prints the same card. To compare them on your data: [ask which loss to take](how-to/advise.md). Besides these there are
[weighted sums, and functions of yours](how-to/own-loss.md)."""
# A weighted sum and a function of the user's are made for no task of their own.
PAGES = {name: loss for name, loss in LOSSES.items() if loss.heads}


def by_task() -> dict[str, list[Loss]]:
    """Return the losses by the first task that each is made for."""
    return {task: [loss for loss in PAGES.values() if next(iter(loss.heads)) == task] for task in TASKS}


def navigation() -> list[dict[str, list[str]]]:
    """Return the part of the navigation that lists the losses."""
    return [
        {f"For {TASKS[task]}": [f"losses/{loss.name}.md" for loss in losses]}
        for task, losses in by_task().items()
        if losses
    ]


def texts() -> dict[str, str]:
    """Return the text of each page by its place."""
    return {"losses.md": _list()} | {f"losses/{loss.name}.md": _page(loss) for loss in PAGES.values()}


def colours() -> str:
    """Return the colours of drawings as CSS variables, for the light and the dark theme."""
    schemes = (("default", drawing.palette(0)), ("slate", drawing.palette(1)))
    blocks = []
    for scheme, palette in schemes:
        lines = "".join(f"  --{name}: {colour};\n" for name, colour in palette.items() if name != "paper")
        blocks.append(f'[data-md-color-scheme="{scheme}"] {{\n{lines}  --paper: transparent;\n}}\n')
    return "".join(blocks)


def _list() -> str:
    parts = [START]
    for task, losses in by_task().items():
        if losses:
            rows = [
                f"| [{loss.name}](losses/{loss.name}.md) | {_code(loss.formula)} | {loss.meaning} |" for loss in losses
            ]
            parts += [f"## For {TASKS[task]}", "\n".join(["| loss | formula | meaning |", "|---|---|---|", *rows])]
    return "\n\n".join(parts) + "\n"


def _page(loss: Loss) -> str:
    card = {heading: text for heading, text in loss_card(loss).items() if heading not in ELSEWHERE}
    # The settings have a table of their own, with their defaults.
    rows = [f"| {heading} | {text} |" for heading, text in card.items() if not heading.startswith("loss.")]
    letters = "y the target and p the prediction" + (", e = p - y" if re.search(r"\be\b", loss.formula) else "")
    parts = [f"# {loss.name}", loss.meaning, f"{_code(loss.formula)}, with {letters}."]
    parts += _drawings(loss)
    parts += ["## When to take it", *_use(loss)]
    parts += ["## In short", "\n".join([f"| | {loss.name} |", "|---|---|", *rows])]
    if loss.parameters:
        rows = [f"| `{s.key}` | {s.kind} | `{s.default}` | {s.meaning} |" for s in settings_of("loss", loss.name)]
        parts += ["## Settings", "\n".join(["| key | takes | default | meaning |", "|---|---|---|---|", *rows])]
    command = tried_with(loss)
    parts += ["## Try it", f"```sh\n{command}\n```"]
    return "\n\n".join(parts) + "\n"


def _code(formula: str) -> str:
    return (
        f"`{formula.replace('|', '&#124;')}`"
        if "|" not in formula
        else f"<code>{formula.replace('|', '&#124;')}</code>"
    )


def _use(loss: Loss) -> list[str]:
    """Return when a loss is made for a problem, in sentences."""
    tasks = " and ".join(TASKS[task] for task in loss.heads)
    sentences = [f"It is made for {tasks}"]
    sentences[0] += f", if they are {loss.domain}." if loss.ordered or _is_bounded(loss) else "."
    if loss.probability:
        sentences.append("With a sigmoid or softmax head its predictions are probabilities.")
    elif set(loss.heads) - set(NUMBER_TASKS):
        sentences.append("Its outputs are scores; as probabilities they first have to be calibrated.")
    if loss.whole_batch:
        sentences.append("Its value is one for a whole batch, so the batch size is part of its meaning.")
    others = [task for task in loss.encodings if task not in loss.heads]
    if others:
        sentences.append(f"By name it can be used for {' and '.join(TASKS[task] for task in others)} too.")
    return [" ".join(sentences)]


def _is_bounded(loss: Loss) -> bool:
    return next(iter(loss.heads)) == "regression" and np.isfinite(loss.y_true[0])


def tried_with(loss: Loss) -> str:
    """Return a command that compares a loss with the baseline on a data set that it fits, or else on a file."""
    task = next(iter(loss.heads))
    fitting = (name for name, info in DATASETS.items() if info.task == task and not info.download)
    dataset = next((name for name in fitting if loss.name not in _left_out(name)), "")
    data = f"dataset={dataset}" if dataset else "dataset.path=house.csv dataset.target=price"
    costs = f" 'loss.costs={COSTS}'" if loss.name == "expected_cost" else ""
    if loss.name == BASELINES[task]:
        return f"lossbench {data} loss={loss.name}"
    return f"lossbench -m {data} loss={BASELINES[task]},{loss.name}{costs}"


@cache
def _left_out(dataset: str) -> set[str]:
    content: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / "dataset" / f"{dataset}.yaml"))
    reasons = why_left_out(DATASETS[dataset], group_settings("dataset", content), "auto")
    return {name for name, reason in reasons.items() if reason}


def _drawings(loss: Loss) -> list[str]:
    """Return the drawings of a loss over the error and, where it is made for classes, over the lead of the true one."""
    kinds: dict[bool, str] = {}
    for task in loss.heads:
        if task != "shares" or len(loss.heads) == 1:
            kinds.setdefault(task == "regression", task)
    return [drawn for task in kinds.values() if (drawn := _drawing(loss, task))]


def _drawing(loss: Loss, task: str) -> str:
    """Return the loss and its slope as drawings beside each other; '' where a sample alone has no value."""
    content: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / "loss" / f"{loss.name}.yaml"))
    parameters = {name: value for name, value in content.items() if name != "name"}
    if "costs" in parameters:
        parameters["costs"] = EQUAL_COSTS
    head = canonical_head(loss, task)
    shape = loss_shape(pair(loss, HEADS[head], task), max(N_TARGETS[task], loss.least_targets), parameters)
    if not shape:
        return ""
    errors = bool(np.isfinite(shape["target"]))
    where = "error: predicted less true" if errors else "lead of the true class, before the head"
    target = f", true value {shape['target']:g}" if errors and shape["target"] else ""
    title = f"{TASKS[task]}, head {head}{target}"
    with matplotlib.rc_context(drawing.STYLE):
        svgs = _panels(loss, task, title, where, shape)
    caption = f"<figcaption>{title}: what one sample costs, and how hard it pulls</figcaption>"
    return f'<figure class="shapes">{"".join(svgs)}{caption}</figure>'.replace("\n", " ")


def _panels(loss: Loss, task: str, title: str, where: str, shape: dict[str, np.ndarray]) -> list[str]:
    svgs = []
    for name, y in (("loss", shape["loss"]), ("slope", np.gradient(shape["loss"], shape["x"]))):
        figure, axes = drawing.panel(SIDE, 0.75 * SIDE)
        axes.plot(shape["x"], y, color=drawing.mark(loss.name).colour)
        low, high = np.quantile(y[np.isfinite(y)], [0.01, 0.99])
        room = 0.06 * (high - low) or 1.0
        axes.set_ylim(low - room, high + room)
        axes.axvline(0, color=drawing.LINE, linewidth=1.4, zorder=1)
        drawing.finish(axes, name, where, "")
        svg = drawing.to_svg(figure, f"{loss.name}-{task}-{name}")
        svgs.append(drawing.for_page(svg, f"The {name} of {loss.name} for {title}, over the {where}."))
    return svgs
