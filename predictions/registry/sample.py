"""The pictures on which the gate runs a network itself, whatever its archive says of it.

`sample.npz` ships with the site: 1,500 validation digits of MNIST, which no version was trained on,
and 500 negatives (`tools/make_gate_sample.py`).
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import as_input
from ml.digits import DIGITS
from ml.errors import ModelError
from ml.model.classifier import Classifier
from ml.model.comparison import Outcomes

SAMPLE = Path(__file__).with_name("sample.npz")
NO_DIGIT = DIGITS  # the label of a negative


class Sample(NamedTuple):
    images: NDArray[np.uint8]  # (N, 28, 28)
    labels: NDArray[np.uint8]  # (N,): the digit, or NO_DIGIT


@cache
def load_sample() -> Sample:
    with np.load(SAMPLE, allow_pickle=False) as arrays:
        return Sample(arrays["images"], arrays["labels"])


def read_sample(classifier: Classifier) -> Outcomes:
    """Return what a network reads in the sample.

    Raises
    ------
    ModelError
        If some of its outputs are not numbers.
    """
    sample = load_sample()
    probabilities, is_digit = classifier.classify(as_input(sample.images))
    if not (np.isfinite(probabilities).all() and np.isfinite(is_digit).all()):
        raise ModelError("some of its outputs are not finite numbers")
    read = np.where(is_digit > 0.5, probabilities.argmax(axis=1), NO_DIGIT).astype(np.uint8)
    return Outcomes("sample", np.stack([sample.labels, read], axis=1))
