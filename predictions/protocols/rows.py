"""JSON with a long list of glyphs, which becomes an array without an object for each number."""

from collections.abc import Sequence
from secrets import token_hex
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import simdjson

from ml.digits import SIDE

IN_NUMBERS = b"0123456789+-.eE"
BLANKS = b" \t\r\n"
# Stands for the list where the rest is parsed; nobody can have sent it.
PLACE = token_hex(16)


def _list_of(item: bytes, count: int) -> bytes:
    return b"[" + b",".join([item] * count) + b"]"


_ROW, _ROW_OF_ONES = _list_of(b"", SIDE), _list_of(b"[]", SIDE)
# What is left of a glyph without its numbers, and the shape that it has then.
GLYPHS = {
    _list_of(_ROW, SIDE): (SIDE, SIDE),
    _list_of(_ROW_OF_ONES, SIDE): (SIDE, SIDE, 1),
}


def loads(body: bytes, names: Sequence[str]) -> Any:
    """Parse JSON, where the value of one of the names may be a list of 28x28 glyphs.

    Such a list is returned as float64 (N, 28, 28) or (N, 28, 28, 1); anything else as `orjson`
    does, which takes several times as long for numbers since each becomes an object.

    Raises
    ------
    orjson.JSONDecodeError
        If it is not JSON.
    """
    start, end = body.find(b"["), body.rfind(b"]") + 1
    glyphs = _glyphs(body[start:end]) if 0 <= start < end else None
    if glyphs is not None:
        content = orjson.loads(b'%b"%b"%b' % (body[:start], PLACE.encode(), body[end:]))
        for name in names:
            if isinstance(content, dict) and content.get(name) == PLACE:
                return content | {name: glyphs}
    return orjson.loads(body)


def _glyphs(text: bytes) -> npt.NDArray[np.float64] | None:
    """Return a list of glyphs as an array, or None if it is anything else."""
    brackets = text.translate(None, IN_NUMBERS + BLANKS)
    for glyph, shape in GLYPHS.items():
        count = len(brackets) // (len(glyph) + 1)
        if count and brackets == _list_of(glyph, count):
            try:
                parsed = simdjson.Parser().parse(text)
                assert isinstance(parsed, simdjson.Array)  # noqa: S101 - since it begins with [
                numbers = parsed.as_buffer(of_type="d")
            except (ValueError, TypeError, RuntimeError):  # no JSON, or a number beyond 64 bits
                return None
            return np.frombuffer(numbers, np.float64).reshape(count, *shape)
    return None
