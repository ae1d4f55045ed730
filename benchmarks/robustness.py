"""Accuracy on corrupted digits, and rejection of negatives; on validation digits only.

    .venv/bin/python benchmarks/robustness.py --data MNIST [MODEL …]

A MODEL is a model directory; without any, it is the network that ships.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

import ml
from benchmarks.corruptions import CORRUPTIONS
from ml.data.dataset import Digits, as_input, load_digits, split
from ml.model.classifier import Classifier, load_classifier
from ml.synthesis.negatives import draw_negatives

SEED = 0
IS_DIGIT_THRESHOLD = 0.5


def corrupt(digits: Digits, position: int) -> NDArray[np.float32]:
    """Apply one corruption to all digits: float32 (N, 28, 28, 1)."""
    rng = np.random.default_rng([SEED, position])
    x = as_input(digits.images)[..., 0]
    corrupted = [CORRUPTIONS[position](picture, rng) for picture in x]
    return np.stack(corrupted)[..., np.newaxis].astype(np.float32)


def accuracy(classifier: Classifier, x: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
    return float(np.mean(classifier.probabilities(x).argmax(axis=1) == labels))


def measure(classifiers: Sequence[Classifier], digits: Digits) -> Iterator[tuple[str, list[float]]]:
    """Yield the accuracy of each network for every corruption."""
    for position, corruption in enumerate(CORRUPTIONS):
        x = corrupt(digits, position)
        yield corruption.__name__, [accuracy(each, x, digits.labels) for each in classifiers]


def print_rows(classifiers: Sequence[Classifier], digits: Digits) -> None:
    clean = [accuracy(each, as_input(digits.images), digits.labels) for each in classifiers]
    print_row("clean", clean)
    rows = []
    for name, accuracies in measure(classifiers, digits):
        rows.append(accuracies)
        print_row(name, accuracies)
    print_row("mean of fifteen", np.mean(rows, axis=0).tolist())
    negatives = draw_negatives(
        len(digits), digits.images, digits.labels, np.random.default_rng(SEED)
    )
    for name, images in (("digits accepted", digits.images), ("negatives accepted", negatives)):
        is_digit = [each.classify(as_input(images)).is_digit for each in classifiers]
        print_row(name, [float(np.mean(each >= IS_DIGIT_THRESHOLD)) for each in is_digit])


def print_row(name: str, shares: list[float]) -> None:
    print(f"{name:22}" + "".join(f"{share:9.2%}" for share in shares), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, help="number of validation digits; default: all")
    parser.add_argument(
        "models", type=Path, nargs="*", default=[Path(ml.__file__).parent / "models"]
    )
    arguments = parser.parse_args()
    digits = split(load_digits(arguments.data, "training")).validation
    print(" " * 22 + "".join(f"{path.name[-8:]:>9}" for path in arguments.models))
    print_rows(
        [load_classifier(path) for path in arguments.models],
        digits.take(np.arange(arguments.count or len(digits))),
    )


if __name__ == "__main__":
    main()
