"""Training data beside MNIST: labelled pictures, corrected digits and corrected readings."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from django.conf import settings

from ml.data.dataset import Digits, Source
from ml.digits import SIDE
from ml.errors import DatasetError
from ml.model.classifier import load_classifier
from ml.reading.one_digit import TINY_SIDE
from ml.reading.page_reader import load_page_reader
from ml.reading.reader import Reader
from ml.training.corrected_pages import MAX_READINGS, CorrectedReading
from ml.training.fine_tuning import new_digit_weight
from ml.training.labelled_pictures import load_pictures
from predictions.core.batches import batched
from predictions.core.records import GLYPH_BYTES, PredictionRecord
from predictions.review import corrections
from predictions.review.corrections import Verdict
from predictions.review.models import Correction
from predictions.stores import get_store

BATCH_SIZE = 500
# Of each digit in a network that starts afresh; MNIST's are 1.
WEIGHTS = {"pictures": 1.0, "corrections": 10.0}


def load_new(
    pictures: Sequence[Path],
    *,
    with_corrections: bool,
    weights: Mapping[str, float | None],
    known: int | None,
) -> tuple[Source, ...]:
    """Read what is new. The version that ships finds the digits in the pictures.

    Parameters
    ----------
    pictures
        Folders of labelled pictures, as `ml.training.labelled_pictures` reads them.
    with_corrections
        Whether the digits that corrections label are wanted too.
    weights
        For each kind of `WEIGHTS` how much a digit counts; None leaves it to what follows.
    known
        How many digits a network knows that is trained on: then all the new ones together are a
        fifth of what is shown. None where it starts afresh: then they count as `WEIGHTS` says.

    Raises
    ------
    DatasetError
        If a folder cannot be used, or no correction labels a digit.
    """
    found: list[tuple[str, str, Digits]] = []
    if pictures:
        networks = load_classifier(settings.MODEL_DIR), load_page_reader(settings.MODEL_DIR)
        reader = Reader(*networks, max_pixels=settings.MAX_PIXELS)
        found += [("pictures", str(path), load_pictures(path, reader)) for path in pictures]
    if with_corrections:
        found.append(("corrections", "corrections", corrected_digits()))
    usual = WEIGHTS
    if known is not None and found:
        count = sum(len(digits) for *_, digits in found)
        usual = dict.fromkeys(WEIGHTS, new_digit_weight(count, known=known))
    return tuple(Source(name, digits, weights[kind] or usual[kind]) for kind, name, digits in found)


def corrected_digits() -> Digits:
    """Return the glyphs and labels of all corrected digits.

    Raises
    ------
    DatasetError
        If there is none.
    """
    glyphs, labels = bytearray(), bytearray()
    for pictures, true_digits in _labelled():
        glyphs += pictures
        labels += bytes(true_digits)
    if not labels:
        raise DatasetError("No correction labels a digit: there is nothing to learn from yet.")
    images = np.frombuffer(bytes(glyphs), np.uint8).reshape(-1, SIDE, SIDE)
    sha256 = hashlib.sha256(bytes(glyphs) + bytes(labels)).hexdigest()
    fingerprints: dict[str, dict[str, str | int]] = {
        "corrections": {"sha256": sha256, "count": len(labels)}
    }
    return Digits(images, np.frombuffer(bytes(labels), np.uint8), fingerprints=fingerprints)


def corrected_readings() -> list[CorrectedReading]:
    """Return what people say that pictures show, the newest last.

    Returns
    -------
    list of CorrectedReading
        At most `MAX_READINGS` whose preview was kept, of pictures that are not tiny: those are for
        the digit network. Empty if no correction says more than which digits were confused: that a
        picture shows none, or another number of them.
    """
    asked = Correction.objects.filter(verdict__in=[Verdict.TEXT, Verdict.NOT_A_DIGIT])
    ids = asked.order_by("-prediction_id").values_list("prediction_id", flat=True).distinct()
    readings: list[CorrectedReading] = []
    is_more = False
    for batch in batched(ids.iterator(), BATCH_SIZE):
        current = corrections.current(batch)
        for record in sorted(get_store().get_many(current).values(), key=_id, reverse=True):
            if max(record.width, record.height) <= TINY_SIDE:
                continue
            correction = current[record.id]
            picture = get_store().picture(record.id)
            if correction.verdict == Verdict.ILLEGIBLE or not (picture and picture.preview):
                continue
            readings.append(CorrectedReading(picture.preview, correction.text))
            is_more = is_more or correction.labels is None
            if len(readings) == MAX_READINGS:
                return readings[::-1] if is_more else []
    return readings[::-1] if is_more else []


def _id(record: PredictionRecord) -> UUID:
    return record.id


def is_any_digit_corrected() -> bool:
    """Return whether a correction labels a digit whose glyph was kept."""
    return next(_labelled(), None) is not None


def _labelled() -> Iterator[tuple[bytes, list[int]]]:
    """Yield the glyphs and labels of each current correction, by prediction id."""
    asked = Correction.objects.filter(labels__isnull=False).order_by("prediction_id")
    ids = list(asked.values_list("prediction_id", flat=True).distinct())
    for batch in batched(ids, BATCH_SIZE):
        current = corrections.current(batch)
        glyphs = get_store().glyphs(current)
        for prediction_id, correction in sorted(current.items()):
            pictures = glyphs.get(prediction_id, b"")
            # Pictures may not have been kept (KEEP_PICTURES=none), or have expired.
            if correction.labels and len(pictures) == len(correction.labels) * GLYPH_BYTES:
                yield pictures, correction.labels
