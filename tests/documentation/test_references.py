"""What the documents point to exists: files, headings, make targets, commands and swept experiments."""

import re
import tomllib
from pathlib import Path

import pytest
from support.documents import DOCUMENTS

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)
# Files of the reader's in examples.
OF_THE_READER = {"conf/dataset/house.yaml", "conf/experiment/noise.yaml", "conf/loss/welsch.yaml"}
# Written by sweeps and benchmarks, not part of the repository.
OF_A_SWEEP = (
    *("multirun/", "mlruns/", "arrays/", "figures/", "earlier/", "report.md", ".hydra/", ".leases/", "../.files/"),
    "benchmarks/results/",
)
IS_PATH = re.compile(r"[\w./-]+(\.(py|c|md|toml|lock|j2)|/)|(conf|tests|src|benchmarks|docs)/[\w./-]+|Makefile")


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)


def exists(path: str, document: Path) -> bool:
    """Say whether a path lies in the repository, beside the document, or in the package."""
    return any((folder / path).exists() for folder in (Path(), document.parent, Path("src/lossbench")))


def anchors(document: Path) -> set[str]:
    """Return the names under which a document's headings can be linked."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_files_that_are_named_exist(document):
    named = [name for name in re.findall(r"`([^`\s]+)`", prose(document)) if IS_PATH.fullmatch(name)]
    ours = [name for name in named if name not in OF_THE_READER and not name.startswith(OF_A_SWEEP)]
    assert not [name for name in ours if not exists(name, document)]


@each_document
def test_links_lead_to_a_file_and_a_heading(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if target.startswith("http"):
            continue
        path, _, heading = target.partition("#")
        linked = document.parent / path if path else document
        assert linked.exists(), target
        assert not heading or heading in anchors(linked), target


@each_document
def test_make_targets_commands_and_experiments_exist(document):
    text = document.read_text()
    targets = re.findall(r"^([a-z-]+):.*## ", Path("Makefile").read_text(), re.MULTILINE)
    # Only where a command stands: "make" is a word of English too.
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    commands = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]
    assert set(re.findall(r"\blossbench-[a-z]+\b", text)) <= set(commands)
    experiments = {path.stem for path in Path("conf/experiment").glob("*.yaml")} | {"noise"}
    assert set(re.findall(r"experiment=(\w+)", text)) <= experiments


def test_contributing_has_every_package():
    tree = re.search(r"^```text\n(.*?)^```", Path("CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)[1]
    listed = re.findall(r"^([a-z_]+)/? ", tree, re.MULTILINE)
    folders = [path.name for path in Path("src/lossbench").iterdir() if (path / "__init__.py").exists()]
    assert sorted(listed) == sorted([*folders, "sweep"])


def test_files_that_the_configuration_names_exist():
    named = {
        (path, name)
        for path in Path("conf").rglob("*.yaml")
        for name in re.findall(r"[\w./-]+/[\w./-]+\.(?:py|md)\b", path.read_text())
    }
    assert named
    assert not [(str(path), name) for path, name in named if not exists(name, path)]
