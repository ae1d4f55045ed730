"""Having two model versions read the pages of the sample: whole readings, as they are answered."""

import hashlib
import itertools
from collections.abc import Callable

from django.conf import settings

from ml.errors import ModelError
from ml.reading.reader import Reader
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from predictions.registry.page_sample import PageFigures, load_pages, read_pages

_known: dict[str, PageFigures] = {}  # of this process, by what determines them


def read_by_both(
    active: ModelVersion, candidate: ModelVersion, on_progress: Callable[[int, int], None]
) -> tuple[PageFigures | None, PageFigures]:
    """Return how both versions read the pages; None for an active one that cannot run.

    Parameters
    ----------
    active, candidate
        Either is read with only once in a process.
    on_progress
        Called after every page that is read with the number done and of all.

    Raises
    ------
    ModelError
        If the candidate cannot run here.
    """
    done, total = itertools.count(1), 2 * len(load_pages())

    def on_page() -> None:
        on_progress(next(done), total)

    second = _read_by(candidate, on_page)
    try:
        return _read_by(active, on_page), second
    except ModelError:  # nothing is worse than a version that cannot run
        return None, second


def _read_by(version: ModelVersion, on_page: Callable[[], None]) -> PageFigures:
    classifier = versions.classifier_of(version)
    determinants = (
        version.sha256,
        version.manifest["temperature"],
        hashlib.sha256(version.page_reader or b"").hexdigest(),
        settings.REVIEW_BELOW_CONFIDENCE,
        settings.UNREADABLE_BELOW_CONFIDENCE,
    )
    key = repr(determinants)
    if key not in _known:
        reader = Reader(
            classifier,
            versions.page_reader_of(version, classifier),
            max_pixels=settings.MAX_PIXELS,
            min_confidence=settings.UNREADABLE_BELOW_CONFIDENCE,
        )
        read_from = settings.REVIEW_BELOW_CONFIDENCE
        _known[key] = read_pages(reader, read_from=read_from, on_page=on_page)
    return _known[key]
