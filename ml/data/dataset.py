"""MNIST from files, validated and split by writer.

The digits are those of LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/. The writers
come from QMNIST's extended labels, in the same order (Yadav and Bottou, "Cold Case: the Lost MNIST
Digits", arXiv:1905.10498).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml.data.idx import read_idx
from ml.digits import SIDE
from ml.errors import DatasetError

Part = Literal["training", "test"]

_FILES: Mapping[Part, tuple[str, str]] = {
    "training": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_WRITERS_FILE = "qmnist-train-labels-idx2-int"
_LABEL_COLUMN, _WRITER_COLUMN = 0, 2

# The same split for every training run, so that networks stay comparable.
_SPLIT_SEED = 1998
_VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Digits:
    """Labelled digits.

    Attributes
    ----------
    images
        uint8 (N, 28, 28), ink bright on 0.
    labels
        uint8 (N,), 0 to 9.
    writers
        int32 (N,), who wrote each; None if unknown.
    fingerprints
        Source files: name to ``sha256`` (of the file as stored) and ``count``.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    writers: NDArray[np.int32] | None = None
    fingerprints: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> Digits:
        """Select digits, in the order of ``indices``."""
        writers = None if self.writers is None else self.writers[indices]
        return Digits(self.images[indices], self.labels[indices], writers, self.fingerprints)

    def describe_files(self) -> dict[str, dict[str, str | int]]:
        """Describe the source files for the manifest."""
        return {name: dict(fingerprint) for name, fingerprint in self.fingerprints.items()}


@dataclass(frozen=True)
class Source:
    """Weighted training digits of one origin.

    Attributes
    ----------
    name
        The origin.
    digits
        At least one.
    weight
        Mean number of times each digit is shown per epoch, above 0.
    """

    name: str
    digits: Digits
    weight: float = 1.0

    @property
    def draws(self) -> int:
        """Number of digits drawn per epoch."""
        return max(1, round(self.weight * len(self.digits)))

    def describe(self) -> dict[str, Any]:
        """Describe the source for the manifest."""
        files = self.digits.describe_files()
        return {"weight": self.weight, "count": len(self.digits), "files": files}


@dataclass(frozen=True)
class Split:
    """Digits for training and for validation, and extra training digits from elsewhere."""

    training: Digits
    validation: Digits
    method: Literal["writers", "stratified"]
    extra: tuple[Source, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """All training digits."""
        return (Source("mnist", self.training), *self.extra)

    def describe(self) -> dict[str, Any]:
        """Describe the files and the split for the manifest."""
        sides = {"training": self.training, "validation": self.validation}
        return {
            "extra": {source.name: source.describe() for source in self.extra},
            "files": self.training.describe_files(),
            "split": {
                "method": self.method,
                "seed": _SPLIT_SEED,
                **{
                    side: {
                        "count": len(digits),
                        "writers": None
                        if digits.writers is None
                        else len(np.unique(digits.writers)),
                    }
                    for side, digits in sides.items()
                },
            },
        }


def load_digits(directory: Path, part: Part) -> Digits:
    """Read and validate the training or test part of MNIST.

    Parameters
    ----------
    directory
        Contains the idx files, plain or with ``.gz``. The writers of the training digits are
        read from ``qmnist-train-labels-idx2-int`` if it is there, in ``writers/`` inside it or
        in ``writers/`` beside it.
    part
        ``training`` or ``test``.

    Returns
    -------
    Digits
        Any number: a subset of MNIST or one's own digits will do.

    Raises
    ------
    DatasetError
        When a file is missing or broken, or the files do not match.
    """
    images_path, labels_path = (_find(directory, name) for name in _FILES[part])
    images, images_sha256 = read_idx(images_path, np.dtype("u1"), (None, SIDE, SIDE))
    labels, labels_sha256 = read_idx(labels_path, np.dtype("u1"), (None,))
    if len(images) != len(labels):
        raise DatasetError(
            f"{labels_path} holds {len(labels):,} labels, but {images_path} {len(images):,} "
            "pictures: these files do not belong together."
        )
    if labels.max() > 9:
        raise DatasetError(f"{labels_path} holds the label {labels.max()}: labels are 0 to 9.")
    fingerprints: dict[str, dict[str, str | int]] = {
        images_path.name: {"sha256": images_sha256, "count": len(images)},
        labels_path.name: {"sha256": labels_sha256, "count": len(labels)},
    }
    writers = None
    if part == "training" and (writers_path := _find_writers(directory)) is not None:
        writers, sha256 = _read_writers(writers_path, labels)
        fingerprints[writers_path.name] = {"sha256": sha256, "count": len(writers)}
    return Digits(images, labels, writers, fingerprints)


def split(digits: Digits) -> Split:
    """Hold out about a tenth of the training digits for validation, always the same ones.

    A tenth of the writers if they are known, so that validation measures unseen handwriting;
    otherwise a tenth of every class.

    Parameters
    ----------
    digits
        The training digits.

    Returns
    -------
    Split
        Both parts in the order of the files.

    Raises
    ------
    DatasetError
        When there are too few writers or digits to split.
    """
    rng = np.random.default_rng(_SPLIT_SEED)
    if digits.writers is not None:
        writers = np.unique(digits.writers)
        chosen = rng.choice(writers, math.ceil(len(writers) * _VALIDATION_SHARE), replace=False)
        held_out = np.isin(digits.writers, chosen)
    else:
        held_out = np.zeros(len(digits), bool)
        for label in np.unique(digits.labels):
            indices = np.flatnonzero(digits.labels == label)
            size = round(len(indices) * _VALIDATION_SHARE)
            held_out[rng.choice(indices, size, replace=False)] = True
    if held_out.all() or not held_out.any():
        raise DatasetError(
            f"{len(digits)} digits are too few to hold some out for validation: add more."
        )
    return Split(
        training=digits.take(np.flatnonzero(~held_out)),
        validation=digits.take(np.flatnonzero(held_out)),
        method="stratified" if digits.writers is None else "writers",
    )


def as_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert uint8 (N, 28, 28) to network input: float32 (N, 28, 28, 1) in [0, 1]."""
    return (images[..., np.newaxis] / np.float32(255)).astype(np.float32, copy=False)


def _find(directory: Path, name: str) -> Path:
    for path in (directory / name, directory / f"{name}.gz"):
        if path.is_file():
            return path
    raise DatasetError(f"{directory} holds no {name} (plain or .gz): point to MNIST's idx files.")


def _find_writers(directory: Path) -> Path | None:
    folders = (directory, directory / "writers", directory.resolve().parent / "writers")
    paths = [folder / f"{_WRITERS_FILE}{end}" for folder in folders for end in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _read_writers(path: Path, labels: NDArray[np.uint8]) -> tuple[NDArray[np.int32], str]:
    rows, sha256 = read_idx(path, np.dtype(">i4"), (None, 8))
    if len(rows) != len(labels) or not np.array_equal(rows[:, _LABEL_COLUMN], labels):
        raise DatasetError(
            f"{path} does not describe these digits: its classes differ from their labels. "
            "Remove it, or use the digits it belongs to."
        )
    return rows[:, _WRITER_COLUMN].astype(np.int32), sha256
