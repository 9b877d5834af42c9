"""How texts are written in LaTeX and in Markdown: escapes, citations, emphasis."""

import re
from typing import Protocol

# The characters of LaTeX's own, and those that its usual fonts lack.
_LATEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "×": r"$\times$",
    "\u00a0": "~",
    # A line break in a name would end a table's row or a comment.
    "\n": " ",
    "\r": " ",
}
_MARKDOWN = "\\`*_{}[]<>#|$~^"


# Around names and citations in a text that ``written`` turns into a language; no setting holds these characters.
_CODE, _CITE = "\x01", "\x02"


class Markup(Protocol):
    """A language that texts are written in."""

    extension: str

    def text(self, words: str) -> str:
        """Return words so that they are shown as they are."""

    def code(self, name: str) -> str:
        """Return a name in a typewriter's letters."""

    def bold(self, words: str) -> str:
        """Return words, escaped, in bold."""

    def mark(self, letter: str) -> str:
        """Return the mark of a footnote."""

    def cite(self, keys: list[str]) -> str:
        """Return a citation of references, with the space before it; '' for none."""


class Latex:
    """LaTeX, with ``booktabs`` in tables and BibTeX's keys in citations."""

    extension = "tex"

    def text(self, words: str) -> str:
        """Return words with all characters of LaTeX's own escaped."""
        return re.sub("[" + re.escape("".join(_LATEX)) + "]", lambda found: _LATEX[found[0]], words)

    def code(self, name: str) -> str:
        """Return a name in a typewriter's letters."""
        return f"\\texttt{{{self.text(name)}}}"

    def bold(self, words: str) -> str:
        """Return words, escaped, in bold."""
        return f"\\textbf{{{self.text(words)}}}"

    def mark(self, letter: str) -> str:
        """Return the mark of a footnote, raised."""
        return f"\\textsuperscript{{{letter}}}"

    def cite(self, keys: list[str]) -> str:
        r"""Return ``~\cite{key,…}``; '' for no key."""
        return f"~\\cite{{{','.join(keys)}}}" if keys else ""


class Markdown:
    """Markdown, with citations as pandoc reads them."""

    extension = "md"

    def text(self, words: str) -> str:
        """Return words with all characters of Markdown's own escaped."""
        one_line = re.sub(r"[\r\n]", " ", words)
        return re.sub("[" + re.escape(_MARKDOWN) + "]", lambda found: f"\\{found[0]}", one_line)

    def code(self, name: str) -> str:
        """Return a name as it is, escaped: a code span could not hold every name."""
        return self.text(name)

    def bold(self, words: str) -> str:
        """Return words, escaped, in bold."""
        return f"**{self.text(words)}**"

    def mark(self, letter: str) -> str:
        """Return the mark of a footnote, raised."""
        return f"<sup>{letter}</sup>"

    def cite(self, keys: list[str]) -> str:
        """Return `` [@key; …]``; '' for no key."""
        return f" [{'; '.join(f'@{key}' for key in keys)}]" if keys else ""


MARKUPS: dict[str, Markup] = {"latex": Latex(), "markdown": Markdown()}


def code(name: str) -> str:
    """Return a name, marked for ``written`` as one."""
    return f"{_CODE}{name}{_CODE}"


def cited(keys: list[str]) -> str:
    """Return citations, marked for ``written``; '' for no key."""
    return f"{_CITE}{','.join(keys)}{_CITE}" if keys else ""


def written(markup: Markup, text: str) -> str:
    """Return a text in a language: its words are escaped, marked names and citations become its own."""
    parts = []
    for part in re.split(f"({_CODE}[^{_CODE}]*{_CODE}|{_CITE}[^{_CITE}]*{_CITE})", text):
        if part[:1] == _CODE:
            parts.append(markup.code(part.strip(_CODE)))
        elif part[:1] == _CITE:
            parts.append(markup.cite(part.strip(_CITE).split(",")))
        else:
            parts.append(markup.text(part))
    return "".join(parts)
