"""The sources of a sweep's losses, data sets and statistics, and how BibTeX writes them."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from lossbench import __version__
from lossbench.config.settings import FOLDS, SAMPLES, SEEDS
from lossbench.datasets.catalogue import DATASETS
from lossbench.losses.choice import chosen_rows
from lossbench.losses.pairing import LOSSES
from lossbench.metrics.rows import step
from lossbench.paper.markup import Latex
from lossbench.planning.plan import Plan

HOLM = "Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, https://www.jstor.org/stable/4615733"
CORRECTED_T = (
    "Nadeau and Bengio (2003), Inference for the Generalization Error, doi:10.1023/A:1024068626366; "
    "Bouckaert and Frank (2004), Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms, "
    "doi:10.1007/978-3-540-24775-3_3"
)
SKEWNESS = "Hall (1992), On the Removal of Skewness by Transformation, https://www.jstor.org/stable/2345980"
FEW_ROWS = (
    "Agresti and Min (2005), Simple Improved Confidence Intervals for Comparing Matched Proportions; Statistics in "
    "Medicine 24, 729-740"
)
FAILURES = (
    "McNemar (1947), Note on the Sampling Error of the Difference between Correlated Proportions or Percentages, "
    "doi:10.1007/BF02295996"
)
# "Nadeau and Bengio (2003), Title, doi:…": titles may have commas, and the last part is where it is found.
_SOURCE = re.compile(r"(?P<authors>[A-Z][\w'-]+(?: and [A-Z][\w'-]+| et al\.)?) \((?P<year>\d{4})\), (?P<rest>[^;]+)")
_PLACE = re.compile(r",\s(?P<place>(?:doi:|arXiv:|https?://|[\w.]+\.\w+/)\S+)")
# Words that tell no titles apart.
_SMALL_WORDS = ("a", "an", "the", "on", "of", "for", "in", "can", "to")


@dataclass(frozen=True)
class Reference:
    """A publication.

    Attributes
    ----------
    authors : str
        Surnames as they are cited: ``Nadeau and Bengio``, ``Lin et al.``
    place : str
        ``doi:…``, ``arXiv:…`` or a web address; '' where none is known.
    """

    authors: str
    year: str
    title: str
    place: str

    @property
    def key(self) -> str:
        """The key of its entry: first author, year and the title's first telling word, such as ``lin2017focal``."""
        words = [word for word in re.findall(r"[a-z0-9]+", _ascii(self.title)) if word not in _SMALL_WORDS]
        return f"{_ascii(self.authors).split()[0].strip(',.')}{self.year}{words[0] if words else ''}"

    def entry(self) -> str:
        """Return its entry of BibTeX."""
        latex = Latex()
        authors = self.authors.replace(" et al.", " and others")
        # Double braces keep the title's capitals.
        fields = {"author": latex.text(authors), "title": f"{{{latex.text(self.title)}}}", "year": self.year}
        kind, _, rest = self.place.partition(":")
        if kind == "doi":
            fields |= {"doi": rest, "url": f"https://doi.org/{rest}"}
        elif kind == "arXiv":
            fields |= {"eprint": rest, "archiveprefix": "arXiv", "url": f"https://arxiv.org/abs/{rest}"}
        elif self.place:
            fields["url"] = self.place if self.place.startswith("http") else f"https://{self.place}"
        return _entry("misc", self.key, fields)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    return "\n".join([f"@{kind}{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"])


def references_in(source: str) -> list[Reference]:
    """Return the publications that a source names.

    Examples
    --------
    >>> [each.key for each in references_in("Huber (1964), Robust Estimation, doi:10.1214/aoms/1177703732")]
    ['huber1964robust']
    """
    found = []
    for match in _SOURCE.finditer(source):
        place = _PLACE.search(match["rest"])
        title = match["rest"][: place.start()] if place else match["rest"]
        found.append(
            Reference(match["authors"], match["year"], title.strip(" ."), place["place"].rstrip(".,") if place else "")
        )
    return found


def of_losses(plan: Plan, loss: str) -> list[Reference]:
    """Return the sources of a loss of the sweep; of a weighted sum also those of its terms."""
    cells = [cell for cell in plan.cells if cell.loss == loss]
    rows = [row for cell in cells for row in chosen_rows(cell.settings.loss)]
    own = [LOSSES[loss]] if loss in LOSSES else []
    return _distinct(reference for row in [*own, *rows] for reference in references_in(row.source))


def of_data(plan: Plan, dataset: str) -> list[Reference]:
    """Return the sources of a data set of the sweep; a user's file has none."""
    names = {cell.settings.dataset.name for cell in plan.cells if cell.dataset == dataset}
    return _distinct(each for name in sorted(names) for each in references_in(DATASETS[name].source))


def of_statistics(plan: Plan) -> list[Reference]:
    """Return the sources of the statistics that the sweep's verdicts rest on."""
    repeated = {cell.settings.repeat.name for cell in plan.cells}
    sources = [HOLM, FAILURES]
    sources += [CORRECTED_T] if FOLDS in repeated else []
    sources += [SKEWNESS] if repeated & {SEEDS, SAMPLES} else []
    sources += [FEW_ROWS] if uses_few_rows(plan) else []
    return _distinct(reference for source in sources for reference in references_in(source))


def uses_few_rows(plan: Plan) -> bool:
    """Return whether the sweep has differences for new rows, each of which is right or wrong."""
    return any(step(cell.metric) for cell in plan.cells if cell.settings.repeat.name == SEEDS)


def keys(references: Iterable[Reference]) -> list[str]:
    """Return the keys of references."""
    return [reference.key for reference in references]


def bibtex(plan: Plan) -> str:
    """Return the references of a sweep's losses, data sets and statistics, and of this software, as BibTeX."""
    losses = [each for loss in dict.fromkeys(cell.loss for cell in plan.cells) for each in of_losses(plan, loss)]
    data = [each for name in dict.fromkeys(cell.dataset for cell in plan.cells) for each in of_data(plan, name)]
    entries = [reference.entry() for reference in _distinct([*losses, *data, *of_statistics(plan)])]
    software = {
        "author": "{The lossbench authors}",
        "title": "{lossbench: which loss function should this network be trained with?}",
        "year": "2026",
        "note": f"Version {__version__}",
    }
    return "\n\n".join([*entries, _entry("misc", "lossbench", software)]) + "\n"


def _distinct(references: Iterable[Reference]) -> list[Reference]:
    return list({reference.key: reference for reference in references}.values())
