"""What a network is shown that goes on from what it knows."""

from pathlib import Path

import numpy as np

from ml.classifier import load_classifier
from ml.dataset import Digits
from ml.training_on import SHARE_OF_LEAST_SURE, SHARE_OF_NEW, least_sure, weight_of_new
from tests.digits import draw_digits

SHIPPED = Path(__file__).parent.parent.parent / "ml" / "models"


def test_the_known_digits_that_are_least_sure_are_shown_more_often() -> None:
    digits = draw_digits(100)
    wrong = [3, 42]
    labels = digits.labels.copy()
    labels[wrong] = (labels[wrong] + 1) % 10
    known = Digits(digits.images, labels)

    source = least_sure(known, load_classifier(SHIPPED))

    assert np.array_equal(source.digits.images, known.images[wrong])
    assert np.array_equal(source.digits.labels, known.labels[wrong])
    new = 5 * weight_of_new(5, known=len(known))
    shown = len(known) + source.draws + new
    assert source.draws / shown == SHARE_OF_LEAST_SURE
    assert new / shown == SHARE_OF_NEW


def test_which_digits_are_least_sure_is_told_by_their_fingerprint() -> None:
    digits = draw_digits(100)
    labels = digits.labels.copy()
    labels[[3, 42]] = (labels[[3, 42]] + 1) % 10
    classifier = load_classifier(SHIPPED)

    one, again, other = (
        least_sure(Digits(digits.images, labels), classifier).describe()["files"]
        for labels in (labels, labels, digits.labels)
    )

    assert one == again != other
