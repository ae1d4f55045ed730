"""Segmentation and recognition decide together what a page says.

A page can be looked at in several ways, and of them the one is taken that makes most sense to the
classifier. A small picture may also be one digit, whole.
"""

import math
from collections.abc import Iterable

from ml.digits import Grey
from ml.model.classifier import Classifier
from ml.page.interpretation import Interpretation, read_sheet
from ml.page.segmentation import sheets
from ml.page.sheet import Sheet
from ml.page.whole import agreed, alone, is_small, read_whole
from ml.timings import step

UNLIKELY_VIEW = 0.02  # in negative log likelihood: each view that was tried before


@step("segment")
def interpret(page: Grey, classifier: Classifier) -> Interpretation | None:
    """Find out what a page says.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.
    classifier
        The network.

    Returns
    -------
    Interpretation or None
        None for a page that shows nothing.
    """
    whole = read_whole(page, classifier) if is_small(page) else None
    if whole and (whole.is_clear or not whole.looks):
        return whole.interpretation()
    pieces = most_sensible(sheets(page), classifier)
    if whole and (whole.is_likely or not pieces or not pieces.digits):
        return agreed(whole, pieces)
    if pieces and len(pieces.digits) == 1:
        return alone(pieces, classifier)
    return pieces


def most_sensible(views: Iterable[Sheet], classifier: Classifier) -> Interpretation | None:
    """Find the view of a page that makes most sense, and what it says.

    Parameters
    ----------
    views
        From the likeliest on.
    classifier
        The network.

    Returns
    -------
    Interpretation or None
        None for a page without views.
    """
    best: Interpretation | None = None
    best_likelihood = -math.inf
    for n, sheet in enumerate(views):
        found = read_sheet(sheet, classifier)
        likelihood = found.likelihood - UNLIKELY_VIEW * n
        if likelihood > best_likelihood:
            best, best_likelihood = found, likelihood
        # Where rulings were taken out, a bar of a digit may be gone: the other view is asked too.
        if found.is_clear and sheet.view.ruled:
            break
    return best
