"""Makes the pages that no file in ``docs/`` holds, and fits links to where pages lie; mkdocs calls it while building.

Pages of the repository's other folders (README, CONTRIBUTING, ...) are taken as they are. The cards of losses and the
configuration's reference are generated from the catalogues, the types of settings and ``conf/``; the notebook has a
page with its texts and code.
"""

import os.path
import re
import sys
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import configuration_page
import loss_pages
import notebook_page

ROOT = Path(__file__).parents[2]
# Pages that lie elsewhere in the repository, by their place in the built documentation.
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
    "benchmarks.md": "benchmarks/README.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:)([^)\s#]*)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give each loss its place in the navigation, by the task that it is made for first."""
    assert config.nav is not None
    config.nav = [
        {"Losses": [{"All of them": "losses.md"}, *loss_pages.navigation()]}
        if entry == {"Losses": "losses.md"}
        else entry
        for entry in config.nav
    ]
    config.watch += [str(ROOT / folder) for folder in ("conf", "src", *ELSEWHERE.values())]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files of ``docs/``."""
    pages = {place: (ROOT / path).read_text(encoding="utf-8") for place, path in ELSEWHERE.items()}
    pages |= {"configuration.md": configuration_page.text()} | loss_pages.texts()
    pages["how-to/notebook.md"] = notebook_page.text(ROOT / "docs" / "how-to" / "notebook.ipynb")
    pages["assets/drawings.css"] = loss_pages.colours()
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where the pages lie in the built documentation; those to other files become their text."""
    place = page.file.src_uri
    here = PurePosixPath(ELSEWHERE.get(place, f"docs/{place}"))
    fences = FENCE.findall(markdown)
    parts = FENCE.split(markdown)
    fitted = [LINK.sub(lambda match: _fitted(match, here, place), part) for part in parts]
    return "".join(text + fence for text, fence in zip(fitted, [*fences, ""], strict=True))


def _fitted(match: re.Match, here: PurePosixPath, place: str) -> str:
    """Return a link of a page as it must be in the built documentation."""
    picture, text, target, heading = match.groups()
    if not target:
        return match[0]
    path = os.path.normpath(here.parent / target)
    if not (ROOT / path).exists():
        # Left as it is: mkdocs names it, and the build fails.
        return match[0]
    homes = {repository: site for site, repository in ELSEWHERE.items()}
    home = homes.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else "")
    if not home:
        return text
    return f"{picture}[{text}]({os.path.relpath(home, os.path.dirname(place) or '.')}{heading or ''})"
