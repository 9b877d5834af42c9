"""Tables as users have them, the same bytes everywhere: cells are made by arithmetic, not drawn."""

import io
import re
import zipfile
from pathlib import Path

from lossbench.planning.command_line import read_overrides
from lossbench.planning.planner import make_plan


def plan(*argv: str):
    return make_plan(read_overrides(["dataset=csv", *argv], multirun=True), "lossbench")


def planned(content: str | bytes, *argv: str, path: str = "data.csv"):
    """Write a file into the working directory and plan a sweep on it."""
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    return plan(f"dataset.path={path}", *argv)


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


# A setting of the data set in a hint: in quotes for the shell, or without.
SETTING = re.compile(r"""'(dataset\.[^']*)'|"(dataset\.[^"]*)"|(?<!['"\w])(dataset\.[a-z_.]+=[^\s,;`)]+)""")


def alternatives(hint: str) -> list[list[str]]:
    """Return what a hint says to add to the command line: the settings of each of its alternatives."""
    parts = re.split(r";\s|,\s|\sor\s", hint)
    found = [["".join(each) for each in SETTING.findall(part)] for part in parts]
    return [settings for settings in found if settings and not any("…" in text for text in settings)]


def with_settings(argv: list[str], settings: list[str]) -> list[str]:
    """Return arguments of which some are set to other values."""
    keys = {text.partition("=")[0] for text in settings}
    return [text for text in argv if text.partition("=")[0] not in keys] + settings


def lines_of(header: str, row: str, n: int = 60) -> str:
    """Return a CSV text of ``n`` rows: ``row`` is formatted with numbers and words that differ from row to row."""
    words = ["red", "green", "blue"]
    rows = [
        row.format(
            i=i,
            x=(i * 37 % 101) / 8,
            z=(i * 53 % 89) - 40,
            w=words[(i * i + i // 7) % 3],
            v="ab"[(i * 7 % 11) % 2],
            s=(i * 31 % 50) / 100,
            t=1 - (i * 31 % 50) / 100,
            p=(i * 17 % 29) % 2,
            q=(i * 23 % 31) % 2,
            gap="" if i % 9 == 4 else i * 29 % 31,
            y=(i * 41 % 97) / 4,
        )
        for i in range(n)
    ]
    return "\n".join([header, *rows]) + "\n"


# Files that no rule about suspicious cells touches, each with its arguments.
PLAIN_TABLES = {
    "numbers": (lines_of("a,b,y", "{x},{z},{y}"), ["dataset.target=y"]),
    "classes": (lines_of("a,b,y", "{x},{z},{w}"), ["dataset.target=y"]),
    "two classes": (lines_of("a,c,y", "{x},{w},{v}"), ["dataset.target=y"]),
    "texts": (lines_of("a,c,d,y", "{x},{w},{v},{y}"), ["dataset.target=y"]),
    "gaps": (lines_of("a,b,c,y", "{x},{gap},{w},{y}"), ["dataset.target=y", "dataset.missing=impute"]),
    "dropped": (lines_of("a,b,c,y", "{x},{gap},{w},{y}"), ["dataset.target=y", "dataset.missing=drop"]),
    "semicolons": (
        lines_of("a;b;y", "{x};{z};{y}").replace(".", ","),
        ["dataset.target=y", "dataset.sep=;", "dataset.decimal=,"],
    ),
    "blanks after commas": (lines_of("a, c, y", "{x}, {w}, {y}"), ["dataset.target=y"]),
    "left out": (lines_of("id,day,name,a,y", "{i},2021-03-{i:02d},n{i},{x},{y}", 28), ["dataset.target=y"]),
    "labels": (lines_of("a,b,p,q", "{x},{z},{p},{q}"), ["dataset.target=[p,q]"]),
    "several": (lines_of("a,b,y", "{x},{z},{y}"), ["dataset.target=[b,y]"]),
    "shares": (lines_of("a,s,t", "{x},{s},{t}"), ["dataset.target=[s,t]"]),
    "utf-16": (lines_of("a,c,y", "{x},{w},{y}"), ["dataset.target=y", "dataset.encoding=utf-16"]),
    "categories": (
        lines_of("a,b,y", "{x},{gap},{y}"),
        ["dataset.target=y", "dataset.categorical=[b]", "dataset.missing=impute"],
    ),
}
