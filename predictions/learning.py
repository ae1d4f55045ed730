"""What people said, as something to learn from: the pictures that corrections label."""

import hashlib
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

import numpy as np

from ml.dataset import Digits
from ml.errors import DatasetError
from predictions import corrections
from predictions.models import Correction
from predictions.records import GLYPH_BYTES, GLYPH_SIZE
from predictions.stores import get_store

AT_ONCE = 500


def corrected_digits() -> Digits:
    """Return each digit that a correction labels: what the network saw, and what it is.

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
    images = np.frombuffer(bytes(glyphs), np.uint8).reshape(-1, GLYPH_SIZE, GLYPH_SIZE)
    sha256 = hashlib.sha256(bytes(glyphs) + bytes(labels)).hexdigest()
    fingerprints: dict[str, dict[str, str | int]] = {
        "corrections": {"sha256": sha256, "count": len(labels)}
    }
    return Digits(images, np.frombuffer(bytes(labels), np.uint8), fingerprints=fingerprints)


def _labelled() -> Iterator[tuple[bytes, list[int]]]:
    """Walk through the corrections that count, in the order of their predictions."""
    asked = Correction.objects.filter(labels__isnull=False).order_by("prediction_id")
    ids: Iterator[UUID] = iter(list(asked.values_list("prediction_id", flat=True).distinct()))
    while some := list(islice(ids, AT_ONCE)):
        standing = corrections.current(some)
        glyphs = get_store().glyphs(standing)
        for prediction_id, correction in sorted(standing.items()):
            pictures = glyphs.get(prediction_id, b"")
            # Pictures may not have been kept (KEEP_PICTURES=none), or be past their time.
            if correction.labels and len(pictures) == len(correction.labels) * GLYPH_BYTES:
                yield pictures, correction.labels
