"""MNIST from the web, for those who have no files of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ml.errors import DatasetError
from ml.idx import write_idx

# The archive that `keras.datasets.mnist` gives, with its sum.
_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def download_mnist(directory: Path, *, url: str = _URL, sha256: str = _SHA256) -> None:
    """Fetch MNIST through Keras and lay it down as idx files, unless it is there already.

    Parameters
    ----------
    directory
        Appears with all four files in it, or not at all.
    url, sha256
        The archive (``x_train``, ``y_train``, ``x_test``, ``y_test``) and its sum.

    Raises
    ------
    DatasetError
        When it cannot be fetched, or is not what the sum says.
    """
    if directory.is_dir():
        return
    partial = directory.with_name(f".{directory.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    try:
        archive = Path(_fetch(partial, url, sha256))
        with np.load(archive) as arrays:
            for key, name in _FILES.items():
                write_idx(partial / name, arrays[key])
        archive.unlink()
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(directory: Path, url: str, sha256: str) -> str:
    import keras

    try:
        path: str = keras.utils.get_file(
            origin=url, file_hash=sha256, cache_dir=directory, cache_subdir="."
        )
    except Exception as e:  # Keras raises nothing narrower.
        raise DatasetError(
            f"MNIST could not be fetched from {url} ({e}): try again, or point to its files."
        ) from e
    return path
