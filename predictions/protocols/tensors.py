"""Tensors as both protocols send and return them: numbers and files, in JSON or in bytes."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from ml.digits import SIDE
from predictions.core.errors import PredictionsError, UploadRefused
from predictions.recognition.uploads import Upload, upload_from_base64

MAX_TENSORS = 256  # in a request
MAX_PICTURES = 16  # as files, each of which may have several pages
MAX_RANK = 8
GLYPH_SHAPES = ([SIDE, SIDE, 1], [SIDE, SIDE])
NUMBERS = {"FP32": "<f4", "UINT8": "u1"}  # datatypes, and how NumPy names them
BYTES = "BYTES"
_LENGTH = struct.Struct("<I")  # before each element of BYTES

Glyphs = npt.NDArray[np.float32]
Values = npt.NDArray[np.int64] | npt.NDArray[np.float32] | list[str]
Outputs = Mapping[str, Values]


class BadTensor(PredictionsError):
    """A tensor that is not what the model takes."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_tensor", message)


@dataclass(frozen=True, eq=False)
class Input:
    """What is to be answered: glyphs, float32 (N, 28, 28, 1) in [0, 1], or files."""

    glyphs: Glyphs | None = None
    files: Sequence[Upload] = ()


def check_shape(shape: Any) -> list[int]:
    """Return a shape that a client names; raise BadTensor if it is none."""
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_RANK
        or not all(type(size) is int and 0 <= size < 2**31 for size in shape)
    ):
        raise BadTensor(
            _("The shape of a tensor is a list of whole numbers, such as [1, 28, 28, 1].")
        )
    return shape


def glyphs_from_json(data: Any, shape: list[int] | None = None, datatype: str = "FP32") -> Glyphs:
    """Read numbers, an array or lists: nested or, with a shape, flat.

    Raises
    ------
    BadTensor
        If they are not glyphs.
    """
    if isinstance(data, np.ndarray):
        return _glyphs(data, list(data.shape), datatype)
    try:
        data, found = _flat(data)
        numbers = np.array(data, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadTensor(
            _("The data of a tensor is a list of numbers, or lists of equal lengths of them.")
        ) from error
    return _glyphs(numbers, found if shape is None else shape, datatype)


def _flat(data: Any) -> tuple[list[Any], list[int]]:
    """Return nested lists as one, and their shape: NumPy takes longer."""
    if not isinstance(data, list):
        raise TypeError
    shape = [len(data)]
    while data and isinstance(data[0], list):
        if set(map(type, data)) != {list} or len(shape) == MAX_RANK:
            raise ValueError
        length = len(data[0])
        if length == 1:  # the common last axis of pictures; unpacking also checks the lengths
            data = [value for (value,) in data]
        elif len(set(map(len, data))) > 1:
            raise ValueError
        else:
            data = list(chain.from_iterable(data))
        shape.append(length)
    return data, shape


def glyphs_from_bytes(data: bytes, shape: list[int], datatype: str) -> Glyphs:
    """Read numbers as they lie in memory, little-endian; raise BadTensor if they are not glyphs."""
    kind = np.dtype(NUMBERS[datatype])
    if len(data) % kind.itemsize:
        raise _wrong_size(len(data) / kind.itemsize, shape)
    return _glyphs(np.frombuffer(data, kind), shape, datatype)


def _glyphs(numbers: npt.NDArray[Any], shape: list[int], datatype: str) -> Glyphs:
    """Bring numbers to [0, 1]: 0-255 counts as that if it is UINT8, or if anything exceeds 1."""
    if shape[1:] not in GLYPH_SHAPES:
        raise BadTensor(
            _("A tensor of digits has the shape [N, 28, 28, 1], and this one has %(shape)s.")
            % {"shape": shape}
        )
    _check_count(shape[0], MAX_TENSORS)
    if numbers.size != shape[0] * SIDE * SIDE:
        raise _wrong_size(numbers.size, shape)
    low, high = float(numbers.min()), float(numbers.max())
    if not (low >= 0 and high <= 255):  # also refuses NaN
        raise BadTensor(
            _("The numbers of a tensor are from 0 to 1, or from 0 to 255; ink is high.")
        )
    if datatype == "UINT8" and numbers.dtype.kind == "f" and np.any(numbers % 1):
        raise BadTensor(_("The numbers of a UINT8 tensor are whole, from 0 to 255."))
    scale = 255 if datatype == "UINT8" or high > 1 else 1
    return np.asarray(numbers, np.float32).reshape(-1, SIDE, SIDE, 1) / np.float32(scale)


def files_from_json(data: Any) -> list[Upload]:
    """Decode files in base64, in a list or in nested ones; raise BadTensor if they are not."""
    while isinstance(data, list) and data and all(isinstance(item, list) for item in data):
        data = list(chain.from_iterable(data))
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise BadTensor(_("The data of a BYTES tensor is a list of picture files in base64."))
    _check_count(len(data), MAX_PICTURES)
    return [_from_base64(text, position) for position, text in enumerate(data)]


def _from_base64(text: str, position: int) -> Upload:
    try:
        return upload_from_base64(text)
    except UploadRefused as error:
        raise BadTensor(_("File %(number)s is not base64.") % {"number": position + 1}) from error


def files_from_bytes(data: bytes) -> list[Upload]:
    """Read files that each follow their length; raise BadTensor if that does not fit."""
    files: list[Upload] = []
    at = 0
    while at < len(data) and len(files) <= MAX_PICTURES:
        start = at + _LENGTH.size
        end = start + _LENGTH.unpack_from(data, at)[0] if start <= len(data) else start
        if end > len(data):
            raise BadTensor(
                _("Each element of a BYTES tensor follows its length in four bytes, low first.")
            )
        files.append(Upload(data[start:end]))
        at = end
    _check_count(len(files), MAX_PICTURES)
    return files


def to_bytes(values: Values) -> bytes:
    """Return a tensor as `glyphs_from_bytes` and `files_from_bytes` take one."""
    if isinstance(values, list):
        texts = [text.encode() for text in values]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def datatype_of(values: Values) -> str:
    """Return how Open Inference Protocol names the type of an output."""
    if isinstance(values, list):
        return BYTES
    return {"int64": "INT64", "float32": "FP32"}[values.dtype.name]


def shape_of(values: Values) -> list[int]:
    return [len(values)] if isinstance(values, list) else list(values.shape)


def to_list(values: Values, *, flat: bool = False) -> list[Any]:
    if isinstance(values, list):
        return values
    listed: list[Any] = (values.ravel() if flat else values).tolist()
    return listed


def _check_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise BadTensor(
            _("A request has from 1 to %(most)s of these, and this one has %(count)s.")
            % {"most": most, "count": count}
        )


def _wrong_size(count: float, shape: list[int]) -> BadTensor:
    return BadTensor(
        _("A tensor of the shape %(shape)s does not have %(count)s numbers.")
        % {"shape": shape, "count": f"{count:g}"}
    )
