"""The documents and what stands in their fences: commands, programs, and what is printed."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = [
    *(Path(name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted(Path("docs").rglob("*.md")),
]
# Why no test runs the commands of a fence, and the test or the target of make that ran them; above the fence, or of the
# whole page below its title.
MARK = re.compile(r"<!-- (?P<why>slurm|gpu|server|long)(?P<page>, the page)?: (?P<by>[^>]+) -->")
FENCE = re.compile(r"(?:^(?P<above>[^\n]*)\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced part of a document.

    Attributes
    ----------
    why, by : str
        Of commands that no test runs as they stand: ``slurm``, ``gpu``, ``server`` or ``long``, and what ran them; ''.
    """

    document: Path
    language: str
    text: str
    why: str
    by: str


def fences(document: Path) -> list[Fence]:
    text = document.read_text()
    of_page = next((mark for mark in MARK.finditer(text) if mark["page"]), None)
    found = []
    for fence in FENCE.finditer(text):
        mark = MARK.fullmatch(fence["above"] or "") or of_page
        why, by = (mark["why"], mark["by"]) if mark and fence["language"] == "sh" else ("", "")
        found.append(Fence(document, fence["language"], fence["text"], why, by))
    return found


def commands(text: str) -> str:
    """Return the commands of a fence, without their comments."""
    return re.sub(r"\s+# .*$", "", text, flags=re.MULTILINE)
