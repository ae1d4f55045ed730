"""The digit network alone, for tensors of glyphs: nothing is found, judged or kept."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from structlog.contextvars import bind_contextvars

from predictions.core.metrics import TENSORS
from predictions.recognition.named_versions import get_reader_of


class Classified(NamedTuple):
    """What a version's digit network says of N glyphs.

    Attributes
    ----------
    digit : int64, shape (N,)
        The most probable one.
    confidence : float32, shape (N,)
        Probability that the glyph is a digit, and this one.
    probabilities : float32, shape (N, 10)
        Of each digit, given that it is one.
    model_version
        The version's number.
    """

    digit: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    model_version: int


def classify(x: npt.NDArray[np.float32], *, model_version: int | None = None) -> Classified:
    """Classify glyphs, float32 (N, 28, 28, 1) in [0, 1], ink 1.

    Raises
    ------
    PredictionsError
        If there is no such version, or it cannot be loaded.
    """
    classifier = get_reader_of(model_version).classifier
    probabilities, is_digit = classifier.classify(x)
    digit = probabilities.argmax(axis=1)
    TENSORS.labels(classifier.version).inc(len(x))
    bind_contextvars(model_version=classifier.version)
    return Classified(
        digit, is_digit * probabilities.max(axis=1), probabilities, classifier.version
    )
