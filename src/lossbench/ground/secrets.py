"""Cuts secrets out of texts: the user, password and query of addresses (``http://user:password@host?token=…``)."""

import re

# An address with its user and password, and its query. Paths of files (sqlite:///…, file:///…) have neither.
ADDRESS = re.compile(
    r"(?P<scheme>\b(?!sqlite:|file:)[A-Za-z][A-Za-z0-9+.-]*://)"
    r"(?P<user>[^/?#\s'\"]*@)?(?P<place>[^?#\s'\"]*)(?P<query>[?#][^\s'\"]*)?"
)


def without_secrets(text: str) -> str:
    """Return a text without the user, password, query and fragment of each address in it.

    Examples
    --------
    >>> without_secrets("no answer from https://me:word@host:5000/mlflow?token=4f2a")
    'no answer from https://host:5000/mlflow'
    >>> without_secrets("sqlite:////home/me@work/mlflow.db")
    'sqlite:////home/me@work/mlflow.db'
    """
    return ADDRESS.sub(r"\g<scheme>\g<place>", text)


def without_words(text: str, words: list[str]) -> str:
    """Return a text with ``***`` for each of some secret words, the longest first."""
    for word in sorted(filter(None, words), key=len, reverse=True):
        text = text.replace(word, "***")
    return text
