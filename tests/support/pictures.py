"""Folders of pictures as users have them, made by arithmetic."""

from pathlib import Path

import numpy as np
from PIL import Image


def bars(i: int, *, upright: bool, height: int = 12, width: int = 12, channels: int = 1) -> np.ndarray:
    """Return a picture of bars, upright or lying, each shifted and brightened by its number; bytes."""
    place = np.arange(width if upright else height)
    line = np.where((place + i) % 6 < 2, 150 + i * 7 % 100, 20 + i * 11 % 50)
    grey = np.tile(line, (height, 1)) if upright else np.tile(line[:, None], (1, width))
    return np.repeat(grey.astype(np.uint8)[..., None], channels, axis=2)


def write_pictures(folder: Path, n: int = 12, *, endings: tuple[str, ...] = (".png",), **how: int) -> Path:
    """Write a folder with the classes ``lying`` and ``upright``, ``n`` pictures of each, and return it."""
    for name in ("lying", "upright"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            pixels = bars(i + (name == "lying"), upright=name == "upright", **how)
            picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
            picture.save(folder / name / f"{i}{endings[i % len(endings)]}")
    return folder
