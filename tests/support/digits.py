"""Digits in a computer font, and MNIST files of them: quick to make and to learn."""

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.data.idx import write_idx


def draw_digits(count: int, *, seed: int = 0) -> Digits:
    """Draw the digits 0 to 9 in turn, slightly varied."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        origin = (6 + int(rng.integers(-2, 3)), 22 + int(rng.integers(-2, 3)))
        scale, thickness = rng.uniform(0.6, 0.8), int(rng.integers(1, 4))
        cv2.putText(
            image, str(label), origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA
        )
    return Digits(images, labels)


def write_mnist(directory: Path, *, training: int = 200, test: int = 50) -> Path:
    """Write the four files of MNIST."""
    directory.mkdir(parents=True, exist_ok=True)
    for prefix, digits in (
        ("train", draw_digits(training)),
        ("t10k", draw_digits(test, seed=1)),
    ):
        write_idx(directory / f"{prefix}-images-idx3-ubyte", digits.images)
        write_idx(directory / f"{prefix}-labels-idx1-ubyte", digits.labels)
    return directory


def write_writers(directory: Path, labels: NDArray[np.uint8], writers: NDArray[np.int32]) -> Path:
    """Write QMNIST's extended labels, gzipped; columns other than class and writer are 0."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = np.zeros((len(labels), 8), ">i4")
    rows[:, 0], rows[:, 2] = labels, writers
    header = struct.pack(">4B2i", 0, 0, 0x0C, 2, *rows.shape)
    path = directory / "qmnist-train-labels-idx2-int.gz"
    path.write_bytes(gzip.compress(header + rows.tobytes()))
    return path
