"""All figures of a data set, in the order of the page."""

from lossbench.report.figures.confusions import confusions
from lossbench.report.figures.curves import curves, own_losses
from lossbench.report.figures.frame import Figure, Frame
from lossbench.report.figures.learning_rates import learning_rates
from lossbench.report.figures.predictions import boundaries, calibration, predicted
from lossbench.report.figures.rows import differences, runs, variances
from lossbench.report.figures.shapes import shape

MAKERS = (
    runs,
    differences,
    variances,
    curves,
    own_losses,
    learning_rates,
    boundaries,
    predicted,
    calibration,
    confusions,
    shape,
)


def all_figures(frame: Frame) -> list[Figure]:
    """Return all figures that the results of a data set allow."""
    figures = [figure for maker in MAKERS if (figure := maker(frame)) is not None]
    for figure in figures:
        if len(figure.panels) == frame.most_panels < len(frame.table.results):
            figure.caption += f" The first {frame.most_panels} {frame.table.nouns} of the table are shown."
    return figures
