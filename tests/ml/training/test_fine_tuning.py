"""What a network is shown that goes on from what it knows."""

import numpy as np
import pytest

from ml.data.dataset import Digits
from ml.model.classifier import Classifier
from ml.training.fine_tuning import (
    LEAST_CONFIDENT_SHARE,
    NEW_SHARE,
    least_confident,
    new_digit_weight,
)
from tests.support.digits import draw_digits

MISLABELLED = [3, 42]


@pytest.fixture
def known() -> Digits:
    """Draw a hundred digits, two of them under another name."""
    digits = draw_digits(100)
    labels = digits.labels.copy()
    labels[MISLABELLED] = (labels[MISLABELLED] + 1) % 10
    return Digits(digits.images, labels)


def test_the_known_digits_that_are_least_sure_are_shown_more_often(
    classifier: Classifier, known: Digits
) -> None:
    source = least_confident(known, classifier)

    assert np.array_equal(source.digits.images, known.images[MISLABELLED])
    assert np.array_equal(source.digits.labels, known.labels[MISLABELLED])
    new = 5 * new_digit_weight(5, known=len(known))
    shown = len(known) + source.draws + new
    assert source.draws / shown == LEAST_CONFIDENT_SHARE
    assert new / shown == NEW_SHARE


def test_which_digits_are_least_sure_is_told_by_their_fingerprint(
    classifier: Classifier, known: Digits
) -> None:
    one, again, other = (
        least_confident(digits, classifier).describe()["files"]
        for digits in (known, known, draw_digits(100))
    )

    assert one == again != other
