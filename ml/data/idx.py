"""The idx file format of http://yann.lecun.com/exdb/mnist/ (LeCun et al.).

Two zero bytes, a byte for the type, a byte for the number of dimensions, a big-endian int32 for
the size of each, then the numbers, big-endian.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.errors import DatasetError

_TYPES = {0x08: np.dtype("u1"), 0x0C: np.dtype(">i4")}


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write an array of uint8 of any shape."""
    path.write_bytes(idx_header(array.shape) + array.tobytes())


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an idx file of uint8."""
    return struct.pack(f">4B{len(shape)}i", 0, 0, 0x08, len(shape), *shape)


def read_idx(
    path: Path, dtype: np.dtype[Any], shape: tuple[int | None, ...]
) -> tuple[NDArray[Any], str]:
    """Read an idx file and validate its header.

    Parameters
    ----------
    path
        Plain, or compressed if it ends in ``.gz``.
    dtype
        uint8 or big-endian int32.
    shape
        The expected sizes; None for any above 0.

    Returns
    -------
    array
        Of this type and shape, read-only.
    sha256
        Of the file as stored.

    Raises
    ------
    DatasetError
        When the file is not as expected.
    """
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as e:
            raise DatasetError(f"{path} is an incomplete gzip file ({e}): fetch it again.") from e
    start = 4 + 4 * len(shape)
    if len(content) < start or content[:2] != b"\0\0" or content[3] != len(shape):
        raise DatasetError(f"{path} is not an idx file of {len(shape)} dimensions: fetch it again.")
    if _TYPES.get(content[2]) != dtype:
        raise DatasetError(f"{path} holds numbers of type 0x{content[2]:02x}, not {dtype}.")
    sizes = tuple(np.frombuffer(content, ">i4", len(shape), 4).tolist())
    if any(want not in (None, size) for size, want in zip(sizes, shape, strict=True)):
        raise DatasetError(f"{path} has the sizes {sizes}; expected {shape} (None: any).")
    if sizes[0] < 1:
        raise DatasetError(f"{path} holds {sizes[0]} entries: at least one is needed.")
    expected, found = math.prod(sizes) * dtype.itemsize, len(content) - start
    if found != expected:
        problem = "is truncated" if found < expected else "has trailing bytes"
        raise DatasetError(f"{path} {problem}: expected {expected:,} bytes, found {found:,}.")
    return np.frombuffer(content, dtype, offset=start).reshape(sizes), sha256
