"""Make `predictions/registry/sample.npz`: `python -m tools.make_gate_sample FOLDER-WITH-MNIST`."""

import sys
from pathlib import Path

import numpy as np

from ml.data.dataset import load_digits, split
from ml.synthesis.negatives import draw_negatives
from predictions.registry.sample import NO_DIGIT, SAMPLE

DIGITS_KEPT = 1500
NEGATIVES_KEPT = 500


def main() -> None:
    """Write evenly spaced validation digits, and negatives drawn from others of them."""
    validation = split(load_digits(Path(sys.argv[1]), "training")).validation
    chosen = np.linspace(0, len(validation) - 1, DIGITS_KEPT).round().astype(np.intp)
    rng = np.random.default_rng(0)
    negatives = draw_negatives(NEGATIVES_KEPT, validation.images, validation.labels, rng)
    digits = validation.take(chosen)
    labels = np.concatenate([digits.labels, np.full(NEGATIVES_KEPT, NO_DIGIT)]).astype(np.uint8)
    images = np.concatenate([digits.images, negatives])
    np.savez_compressed(SAMPLE, images=images, labels=labels)


if __name__ == "__main__":
    main()
