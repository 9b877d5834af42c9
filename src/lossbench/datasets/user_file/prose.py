"""Recognises columns of running text, and counts the words that can be made features of them."""

import re
from collections import Counter

import numpy as np
import pandas as pd

# What counts as a word, as scikit-learn's vectorisers have it: two letters or digits at least.
WORD = re.compile(r"\b\w\w+\b")
# A column is running text if its cells have, on average, at least so many words,
WORDS_PER_CELL = 3
# and if so many words are in several rows: features that one row alone has teach nothing.
FEWEST_WORDS, ROWS_PER_WORD = 5, 2


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return WORD.findall(text.lower())


def n_words(present: pd.Series, most: int) -> int:
    """Return how many words of a text column are made features; 0 if it is no running text.

    Parameters
    ----------
    present : Series
        The cells that are not missing.
    most : int
        The largest number of words that is taken.
    """
    cells = [words_of(str(text)) for text in present]
    if not cells or sum(map(len, cells)) < WORDS_PER_CELL * len(cells):
        return 0
    rows = Counter(word for words in cells for word in set(words))
    found = sum(n >= ROWS_PER_WORD for n in rows.values())
    return min(found, most) if found >= FEWEST_WORDS else 0


def prose_array(frame: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Return columns of running text, object array of shape (n_rows, n_columns); a missing text has no words."""
    found = np.empty((len(frame), len(names)), object)
    for i, name in enumerate(names):
        found[:, i] = ["" if gone else str(text) for text, gone in zip(frame[name], frame[name].isna(), strict=True)]
    return found
