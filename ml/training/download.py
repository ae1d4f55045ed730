"""Download of MNIST."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ml.data.idx import write_idx
from ml.errors import DatasetError
from ml.training.tensorflow import load_tensorflow


class Origin(NamedTuple):
    """URL and checksum of a file."""

    url: str
    sha256: str


# The archive of `keras.datasets.mnist`.
DIGITS = Origin(
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
# QMNIST's writers, so that the validation digits are those of the shipped network and the two are
# comparable.
WRITERS = Origin(
    "https://raw.githubusercontent.com/facebookresearch/qmnist/"
    "94061367ec2e099ea18c553c75727ecf849ddb9b/qmnist-train-labels-idx2-int.gz",
    "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
)
_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def download_mnist(directory: Path, *, digits: Origin = DIGITS, writers: Origin = WRITERS) -> None:
    """Download MNIST and its writers through Keras, unless the directory exists.

    Parameters
    ----------
    directory
        Created atomically, laid out as for `ml.data.dataset.load_digits`.
    digits
        The archive (``x_train``, ``y_train``, ``x_test``, ``y_test``), converted to idx files.
    writers
        QMNIST's extended labels of the training digits.

    Raises
    ------
    DatasetError
        When a download fails or a checksum differs.
    """
    if directory.is_dir():
        return
    partial = directory.with_name(f".{directory.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)  # not one that somebody prepared
    try:
        archive = _fetch(partial, digits)
        with np.load(archive) as arrays:
            for key, name in _FILES.items():
                write_idx(partial / name, arrays[key])
        archive.unlink()
        _fetch(partial, writers)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(directory: Path, origin: Origin) -> Path:
    load_tensorflow()
    import keras

    try:
        path = keras.utils.get_file(
            origin=origin.url, file_hash=origin.sha256, cache_dir=directory, cache_subdir="."
        )
    except Exception as e:  # Keras raises nothing narrower.
        raise DatasetError(
            f"MNIST could not be downloaded from {origin.url} ({e}): try again, or use local files."
        ) from e
    return Path(path)
