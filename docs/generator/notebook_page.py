"""The notebook as a page: its texts, and its code in fences."""

import json
from pathlib import Path


def text(notebook: Path) -> str:
    """Return the page of a notebook, with a link to the notebook itself below its title."""
    parts = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    title, _, first = parts[0].partition("\n")
    link = f"[This page as a notebook]({notebook.name})"
    return "\n\n".join([title, link, first.strip(), *parts[1:]]) + "\n"
