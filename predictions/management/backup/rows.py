"""A prediction and its picture as a line of JSON, and back after checking every value."""

import binascii
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from ml.digits import DIGITS, MARKS
from predictions.core.ids import MAX_PAGES, day_of
from predictions.core.records import (
    GLYPH_BYTES,
    MAX_INT,
    PictureRecord,
    ReviewReason,
    Source,
    Status,
)
from predictions.management.backup.archive import ArchiveRefused, parse
from predictions.stores.interface import Pair
from predictions.stores.serialization import PLAIN, columns_of, digits_to_json, marks_to_json
from predictions.stores.serialization import record_of as record_from_columns

MAX_LINE_BYTES = 4_000_000  # a page of 1,000 digits has 1.5 million
MAX_PREVIEW_BYTES = 1_000_000
MAX_PARTS = 10_000  # digits, marks or lines of a page
MAX_TEXT = 3 * MAX_PARTS  # each digit, a mark and a space: pages show every one
MAX_BIG_INT = 2**63 - 1

Check = Callable[[Any], bool]
Values = Mapping[str, Any]


def line_of(pair: Pair) -> bytes:
    """Return a prediction and its picture as a line."""
    record, picture = pair
    values = columns_of(record) | {
        "digits": digits_to_json(record.digits),
        "marks": marks_to_json(record.marks),
        "preview": None if picture.preview is None else b64encode(picture.preview).decode(),
        "glyphs": b64encode(picture.glyphs).decode(),
    }
    return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)


def pair_of(values: Values) -> Pair:
    """Return what `line_of` wrote.

    Raises
    ------
    ArchiveRefused
        If a value is not one that a store could have kept; the message names the prediction.
    """
    try:
        return _checked_pair(values)
    except ArchiveRefused as error:
        named = prediction_id(values.get("id"))
        raise ArchiveRefused(
            f"{error.message} It is prediction {values['id']}." if named else error.message
        ) from error


def _checked_pair(values: Values) -> Pair:
    check(values, PREDICTION)
    for each, checks in (("digits", DIGIT), ("marks", MARK)):
        for part in values[each]:
            check(part, checks)
    plain = {name: _to_uuid(values[name]) if name in IDS else values[name] for name in PLAIN}
    try:
        record = record_from_columns(plain, values["digits"], values["marks"])
    except ValueError as error:
        raise ArchiveRefused(f"The archive is damaged: {error}.") from error
    preview = None if values["preview"] is None else _to_bytes(values["preview"])
    glyphs = _to_bytes(values["glyphs"])
    if len(glyphs) not in {0, len(record.digits) * GLYPH_BYTES}:
        raise ArchiveRefused("The archive is damaged: glyphs of another number of digits.")
    return record, PictureRecord(id=record.id, preview=preview, glyphs=glyphs)


def rows_in(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a member, one a line."""
    for line in content.splitlines():
        values = parse(line) if len(line) <= MAX_LINE_BYTES else None
        if not isinstance(values, dict):
            raise ArchiveRefused("The archive is damaged: a line is not what it should be.")
        yield values


def check(values: Any, checks: Mapping[str, Check]) -> None:
    """Raise ArchiveRefused unless the values are of exactly these names, and each is right."""
    if not isinstance(values, dict) or values.keys() != checks.keys():
        raise ArchiveRefused("The archive is damaged: a row has not the fields it should have.")
    for name, is_right in checks.items():
        if not is_right(values[name]):
            raise ArchiveRefused(f"The archive is damaged: a row's “{name}” cannot be right.")


def text(most: int, *, least: int = 0) -> Check:
    return lambda value: (
        isinstance(value, str)
        and least <= len(value) <= most
        and (
            "\0" not in value  # which PostgreSQL does not keep
        )
    )


def whole(most: int = MAX_INT, *, least: int = 0) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def number(most: float = math.inf) -> Check:
    return lambda value: type(value) in (int, float) and 0 <= value <= most


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def uuid(value: Any) -> bool:
    try:
        return len(value) == 36 and str(UUID(value)) == value
    except (AttributeError, TypeError, ValueError):
        return False


def prediction_id(value: Any) -> bool:
    return uuid(value) and day_of(UUID(value)) is not None


def moment(value: Any) -> bool:
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return read.tzinfo is not None and 1900 < read.year < 9999


def one_of(kinds: Iterable[str]) -> Check:
    words = [str(kind) for kind in kinds]
    return lambda value: value in words


def box(value: Any) -> bool:
    is_right = isinstance(value, list) and len(value) == 4
    # A corner may lie outside of the picture.
    return is_right and all(map(whole(least=-MAX_INT), value)) and min(value[2:]) >= 0


def optional(is_right: Check) -> Check:
    return lambda value: value is None or is_right(value)


def list_of(is_right: Check, *, least: int = 0, most: int = MAX_PARTS) -> Check:
    return lambda value: (
        isinstance(value, list) and least <= len(value) <= most and all(map(is_right, value))
    )


def _base64(most: int) -> Check:
    return text(most * 4 // 3 + 4)


def _to_uuid(value: str | None) -> UUID | None:
    return None if value is None else UUID(value)


def _to_bytes(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ArchiveRefused("The archive is damaged: a picture is not base64.") from error


IDS = {"id", "upload", "batch_id"}
SHARE = number(1)
PREDICTION: Mapping[str, Check] = {
    "id": prediction_id,
    "text": text(MAX_TEXT),
    "marked_text": optional(text(MAX_TEXT)),
    "digits": list_of(lambda value: isinstance(value, dict)),
    "marks": list_of(lambda value: isinstance(value, dict)),
    "confidence": optional(SHARE),
    "margin": optional(SHARE),
    "status": one_of(Status),
    "model_version": whole(),
    "source": one_of(Source),
    "file_name": text(255),
    "file_size": whole(MAX_BIG_INT),
    "width": whole(),
    "height": whole(),
    "duration_ms": number(),
    "has_preview": flag,
    "upload": optional(uuid),
    "page": whole(MAX_PAGES - 1),
    "batch_id": optional(uuid),
    "position": optional(whole()),
    "created_by": optional(text(150)),
    "review_reason": optional(one_of(ReviewReason)),
    "preview": optional(_base64(MAX_PREVIEW_BYTES)),
    "glyphs": _base64(MAX_LINE_BYTES),
}
DIGIT: Mapping[str, Check] = {
    "digit": whole(DIGITS - 1),
    "confidence": SHARE,
    "probabilities": list_of(SHARE, least=DIGITS, most=DIGITS),
    "box": box,
    "line": whole(MAX_PARTS - 1),
}
MARK: Mapping[str, Check] = {
    "mark": one_of(MARKS),
    "box": box,
    "line": whole(MAX_PARTS - 1),
    "after": optional(whole()),
}
