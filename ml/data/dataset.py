"""MNIST from files, checked, and split so that no writer is on both sides.

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

# One cut for all time, whatever the seed of a training run: networks stay comparable.
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
        int32 (N,), who wrote each; None where nobody knows.
    fingerprints
        The files they come from: name to ``sha256`` (of the file as it lies there) and ``count``.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    writers: NDArray[np.int32] | None = None
    fingerprints: Mapping[str, Mapping[str, str | int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> Digits:
        """Choose some of the digits, in the order of ``indices``."""
        writers = None if self.writers is None else self.writers[indices]
        return Digits(self.images[indices], self.labels[indices], writers, self.fingerprints)


@dataclass(frozen=True)
class Source:
    """Digits from somewhere, and how much they count.

    Attributes
    ----------
    name
        Says where they come from.
    digits
        At least one.
    weight
        How often each is shown an epoch, on average; above 0, and need not be whole.
    """

    name: str
    digits: Digits
    weight: float = 1.0

    @property
    def draws(self) -> int:
        """How many pictures an epoch shows of it."""
        return max(1, round(self.weight * len(self.digits)))

    def describe(self) -> dict[str, Any]:
        """Say for the manifest what it is."""
        files = {name: dict(print_) for name, print_ in self.digits.fingerprints.items()}
        return {"weight": self.weight, "count": len(self.digits), "files": files}


@dataclass(frozen=True)
class Split:
    """Digits to train on and digits to choose by, and more to train on from elsewhere."""

    training: Digits
    validation: Digits
    method: Literal["writers", "stratified"]
    extra: tuple[Source, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that is trained on."""
        return (Source("mnist", self.training), *self.extra)

    def describe(self) -> dict[str, Any]:
        """Say for the manifest which files these are and how they were split."""
        sides = {"training": self.training, "validation": self.validation}
        return {
            "extra": {source.name: source.describe() for source in self.extra},
            "files": {name: dict(print_) for name, print_ in self.training.fingerprints.items()},
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
    """Read and check one half of MNIST.

    Parameters
    ----------
    directory
        Where the idx files lie, plain or with ``.gz``. The writers of the training digits are
        read where ``qmnist-train-labels-idx2-int`` lies there, in ``writers/`` inside it or in
        ``writers/`` beside it.
    part
        ``training`` or ``test``.

    Returns
    -------
    Digits
        Any number of them: a part of MNIST, or digits of one's own, do as well.

    Raises
    ------
    DatasetError
        When a file is missing, broken, or does not fit the other.
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
    """Set about a tenth of the training digits aside for validation, always the same ones.

    Where the writers are known, a tenth of the writers with all that they wrote, so that
    validation asks how unknown hands are read; otherwise a tenth of every class.

    Parameters
    ----------
    digits
        The training digits.

    Returns
    -------
    Split
        Both sides in the order of the files.

    Raises
    ------
    DatasetError
        When there are too few to split: fewer than two writers, or one digit of each class.
    """
    rng = np.random.default_rng(_SPLIT_SEED)
    if digits.writers is not None:
        writers = np.unique(digits.writers)
        chosen = rng.choice(writers, math.ceil(len(writers) * _VALIDATION_SHARE), replace=False)
        aside = np.isin(digits.writers, chosen)
    else:
        aside = np.zeros(len(digits), bool)
        for label in np.unique(digits.labels):
            indices = np.flatnonzero(digits.labels == label)
            size = round(len(indices) * _VALIDATION_SHARE)
            aside[rng.choice(indices, size, replace=False)] = True
    if aside.all() or not aside.any():
        raise DatasetError(
            f"{len(digits)} digits are too few to set some aside for validation: add more."
        )
    return Split(
        training=digits.take(np.flatnonzero(~aside)),
        validation=digits.take(np.flatnonzero(aside)),
        method="stratified" if digits.writers is None else "writers",
    )


def as_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn uint8 (N, 28, 28) into what a network takes: float32 (N, 28, 28, 1) in [0, 1]."""
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
            "Take it away, or give the digits it was made for."
        )
    return rows[:, _WRITER_COLUMN].astype(np.int32), sha256
