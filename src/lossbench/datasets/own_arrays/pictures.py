"""Reads a folder of pictures: each of its folders holds the pictures of a class."""

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lossbench.config.settings import PicturesSettings
from lossbench.datasets.own_arrays.given import Given
from lossbench.datasets.user_file.reading import DATA_SUFFIXES, NAMES_SHOWN
from lossbench.ground.errors import Problem, UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
# Larger pictures, and those of several sizes, are brought to this height and width: twice as high and wide takes four
# times as long to train.
SIDE = 32
# Modes of Pillow with one channel.
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
GREY = ("1", "L", "LA", "La", "F", *SIXTEEN_BITS)
# What Pillow raises for a damaged or unreasonably large file.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, UnidentifiedImageError, Image.DecompressionBombError)
EXAMPLE = "a folder for each class: pictures/cat/1.png, pictures/dog/2.png"


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder: their sorted paths in it by their class, and the other files, which are passed over."""

    path: Path
    classes: dict[str, list[str]]
    others: list[str]

    @property
    def pictures(self) -> list[str]:
        """All paths, class by class."""
        return [name for names in self.classes.values() for name in names]


def folder_state(path: str) -> list[Any]:
    """Return the path, size and time of each picture, some of which change when the pictures do.

    Raises
    ------
    UsageError
        If there are no classes of pictures.
    """
    folder = _list(path)
    found = [(name, os.stat(folder.path / name)) for name in folder.pictures]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in found]


def read_pictures(settings: PicturesSettings) -> Given:
    """Return the pictures of a folder, all of one size, as numbers from 0 to 255; cached while they stay unchanged.

    Raises
    ------
    UsageError
        If there are no classes of pictures, or if some are damaged, all of which are named.
    """
    size = [settings.size] if isinstance(settings.size, int) else settings.size
    return _read(settings.path, tuple(size) if size else None, settings.colour, str(folder_state(settings.path)))


def _list(path: str) -> Folder:
    top = Path(path)
    if not top.is_dir():
        known = sorted(each.name for each in top.parent.iterdir() if each.is_dir()) if top.parent.is_dir() else []
        shown = f"in {top.parent} there is {', '.join(known[:NAMES_SHOWN])}." if known else EXAMPLE
        raise UsageError(Problem(f"there is no folder {path}.", shown))
    classes: dict[str, list[str]] = {}
    others: list[str] = []
    for folder in sorted(each for each in top.iterdir() if each.is_dir() and not each.name.startswith(".")):
        names = sorted(each.name for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
        pictures = [name for name in names if name.lower().endswith(SUFFIXES)]
        others += [f"{folder.name}/{name}" for name in names if name not in pictures]
        if pictures:
            classes[folder.name] = [f"{folder.name}/{name}" for name in pictures]
    if len(classes) < 2:
        raise UsageError(_no_classes(top, list(classes)))
    alone = [name for name, pictures in classes.items() if len(pictures) < 2]
    if alone:
        hint = "each class needs a picture to train on and one to judge by: add some, or take the folder out."
        raise UsageError(Problem(f"{top.name}: class {alone[0]!r} has one picture only.", hint))
    return Folder(top, classes, others)


def _no_classes(top: Path, classes: list[str]) -> Problem:
    """Return the problem of a folder without at least two folders of pictures."""
    there = sorted(each.name for each in top.iterdir() if not each.name.startswith("."))
    deeper = [name for name in there if (top / name).is_dir() and _has_classes(top / name)]
    if deeper:
        return Problem(
            f"{top.name} holds no pictures of classes, but its folder {deeper[0]} does.",
            f"dataset.path={top / deeper[0]}",
        )
    if not classes and any(name.lower().endswith(SUFFIXES) for name in there):
        hint = f"dataset.path={top.parent}" if _has_classes(top.parent) else EXAMPLE
        return Problem(f"the pictures in {top.name} lie in no folder of a class.", hint)
    files = [name for name in there if name.lower().endswith((*DATA_SUFFIXES, ".npz"))]
    if files and not classes:
        return Problem(f"dataset.path={top} is a folder.", f"name a file in it: {', '.join(files[:NAMES_SHOWN])}.")
    has = f"the pictures of one class only, {classes[0]!r}" if classes else "no folders of pictures"
    return Problem(f"{top.name} must have a folder of pictures for each of two classes or more; it has {has}.", EXAMPLE)


def _has_classes(folder: Path) -> bool:
    inside = [each for each in folder.iterdir() if each.is_dir()]
    return sum(any(str(each).lower().endswith(SUFFIXES) for each in one.iterdir()) for one in inside) > 1


@lru_cache(maxsize=1)
def _read(path: str, size: tuple[int, ...] | None, colour: str, state: str) -> Given:
    """Read pictures. ``state`` is unused but part of the cache's key: changed pictures are read again."""
    folder = _list(path)
    shapes, grey, damaged = _looked_at(folder)
    height, width = (size[0], size[-1]) if size else _common_size(shapes)
    mode = {"grey": "L", "rgb": "RGB"}.get(colour, "L" if grey else "RGB")
    digest, values = hashlib.sha256(), []
    for name in (each for each in folder.pictures if each not in damaged):
        content = (folder.path / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        try:
            values.append(_pixels(folder.path / name, (width, height), mode))
        except DAMAGED as error:
            damaged[name] = _why(error)
    if damaged:
        raise UsageError(_damaged(folder, dict(sorted(damaged.items()))))
    labels = list(folder.classes)
    y = np.repeat(np.arange(len(labels)), [len(names) for names in folder.classes.values()])
    return Given(
        folder.path.name,
        np.stack(values),
        y,
        digest.hexdigest()[:16],
        "pictures",
        "folder",
        classes=labels,
        notes=[_said(shapes, (height, width), mode, chosen=size is not None or colour != "auto")],
        warnings=_passed_over(folder),
        parts=[["class", "pictures"], *([name, str(len(names))] for name, names in folder.classes.items())],
    )


def _looked_at(folder: Folder) -> tuple[set[tuple[int, int]], bool, dict[str, str]]:
    """Return the heights and widths of all pictures, whether all are grey, and which cannot be opened, and why."""
    shapes, modes, damaged = set(), set(), {}
    for name in folder.pictures:
        try:
            with _opened(folder.path / name) as picture:
                shapes.add((picture.height, picture.width))
                modes.add(picture.mode)
        except DAMAGED as error:
            damaged[name] = _why(error)
    return shapes, modes <= set(GREY), damaged


def _opened(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        # A warning of very large pictures; still larger ones are an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path)


def _pixels(path: Path, size: tuple[int, int], mode: str) -> np.ndarray:
    """Return a picture as bytes, shape (height, width, channels), turned as its camera says."""
    with _opened(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode in SIXTEEN_BITS:
            # Pillow would cut off what is above eight bits.
            upright = Image.fromarray((np.asarray(upright, np.float64) / 257.0).round().clip(0, 255).astype(np.uint8))
        if upright.mode == "F":
            raise ValueError("its pixels are floating-point numbers; an .npz file takes these")
        made = upright.convert(mode)
        made = made if made.size == size else made.resize(size, Image.Resampling.BILINEAR)
        array = np.asarray(made, np.uint8)
    return array.reshape(size[1], size[0], -1)


def _common_size(shapes: set[tuple[int, int]]) -> tuple[int, int]:
    """Return the height and width to which all pictures are brought."""
    if not shapes:
        # None can be opened.
        return SIDE, SIDE
    (height, width), *others = shapes
    return (height, width) if not others and max(height, width) <= SIDE else (SIDE, SIDE)


def _said(shapes: set[tuple[int, int]], size: tuple[int, int], mode: str, *, chosen: bool) -> str:
    """Return what was made of the pictures in a line."""
    heights, widths = sorted({height for height, _ in shapes}), sorted({width for _, width in shapes})
    before = " to ".join(dict.fromkeys(f"{height} x {width}" for height, width in (min(shapes), max(shapes))))
    if len(shapes) > 1:
        before = f"{heights[0]} to {heights[-1]} high and {widths[0]} to {widths[-1]} wide"
    colours = "greyscale" if mode == "L" else "RGB"
    if shapes == {size}:
        said = f"all are {before}, read as {colours}"
    else:
        said = f"they are {before}; brought to {size[0]} x {size[1]}, read as {colours}"
    other = "rgb" if mode == "L" else "grey"
    return said if chosen else f"{said} (dataset.size=48 and dataset.colour={other} take another)"


def _passed_over(folder: Folder) -> list[str]:
    if not folder.others:
        return []
    shown = ", ".join(folder.others[:NAMES_SHOWN]) + (", …" if len(folder.others) > NAMES_SHOWN else "")
    n = len(folder.others)
    return [f"{n} {'file is' if n == 1 else 'files are'} passed over, for the name is no picture's: {shown}"]


def _why(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return "it is no picture" if isinstance(error, UnidentifiedImageError) else said[:80]


def _damaged(folder: Folder, damaged: dict[str, str]) -> Problem:
    shown = [f"{name} ({why})" for name, why in list(damaged.items())[:NAMES_SHOWN]]
    more = len(damaged) - len(shown)
    n = "1 picture" if len(damaged) == 1 else f"{len(damaged)} pictures"
    said = f"{folder.path.name}: {n} cannot be read: {', '.join(shown)}" + (f" and {more} more" if more else "")
    return Problem(f"{said}.", "take them out of the folder, or replace them.")
