"""Exports as CSV, JSON lines or labelled pictures in MNIST's format, in constant memory."""

import csv
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import IO, Any

import orjson
from rest_framework.request import Request

from ml.data.idx import idx_header
from ml.digits import SIDE
from predictions.core.batches import batched
from predictions.core.records import GLYPH_BYTES, PredictionRecord
from predictions.review import corrections
from predictions.review.models import Correction
from predictions.stores import get_store
from predictions.web.json import predictions_json

BATCH_SIZE = 500
IMAGES_FILE, LABELS_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
# What fits into a cell, in the order of the columns.
COLUMNS = (
    "text",
    "marked_text",
    "status",
    "review_reason",
    "confidence",
    "margin",
    "model_version",
    "source",
    "file_name",
    "file_size",
    "width",
    "height",
    "page",
    "created_by",
    "duration_ms",
    "id",
    "created_at",
    "upload",
    "batch",
    "position",
    "url",
)
CORRECTION_COLUMNS = {
    f"correction_{name}": name for name in ("verdict", "text", "by", "at")
}  # column: field of the correction
# Spreadsheets run a cell as a formula that begins with one of these signs, of any width. Whoever
# opens the file chooses what separates cells.
_SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
# Blanks and quotes before a sign are matched from their first one only: in linear time.
_FORMULA_START = re.compile(rf'(^|[,;:|])?(?<![\s"])(["\s]*+)(?=[{_SIGNS}])|^(?=[\t\r])')
_BLANK = re.compile(r"\s")


class Format(StrEnum):
    """File formats."""

    CSV = "csv"
    JSONL = "jsonl"
    IDX = "idx"


CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSONL: "application/jsonl",
    Format.IDX: "application/zip",
}
FILE_NAMES = {
    Format.CSV: "predictions.csv",
    Format.JSONL: "predictions.jsonl",
    Format.IDX: "predictions.zip",
}


def export(
    records: Iterable[PredictionRecord],
    form: Format,
    *,
    corrected_only: bool = False,
    request: Request | None = None,
) -> Iterator[bytes]:
    """Export predictions as chunks of a file.

    Parameters
    ----------
    records
        The predictions, which may be very many.
    form
        ``idx`` makes a zip of one picture and label per digit: the corrected label, or else the
        digit that was read. Corrections that label no digit leave the prediction out.
    corrected_only
        Export only predictions with a correction; for ``idx``, only corrected digits.
    request
        Makes URLs absolute.
    """
    if corrected_only:
        records = _corrected(records)
    if form == Format.CSV:
        return csv_lines(records, request)
    if form == Format.JSONL:
        return _json_lines(records, request)
    return _idx_archive(records, corrected_only=corrected_only)


def csv_lines(records: Iterable[PredictionRecord], request: Request | None) -> Iterator[bytes]:
    """Yield a header and one line per prediction; no cell can run as a formula."""
    yield _csv_line([*COLUMNS, *CORRECTION_COLUMNS])
    for batch in batched(records, BATCH_SIZE):
        for shown in predictions_json(batch, request):
            correction = shown["correction"] or {}
            cells = [shown[name] for name in COLUMNS]
            cells += [correction.get(name) for name in CORRECTION_COLUMNS.values()]
            yield _csv_line([_without_formula(cell) for cell in cells])


def _json_lines(records: Iterable[PredictionRecord], request: Request | None) -> Iterator[bytes]:
    for batch in batched(records, BATCH_SIZE):
        for row in predictions_json(batch, request):
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def labelled_glyphs(
    records: Iterable[PredictionRecord], *, corrected_only: bool
) -> Iterator[tuple[bytes, int]]:
    """Yield each digit's glyph (784 bytes) and its label."""
    for batch in batched(records, BATCH_SIZE):
        current = corrections.current(record.id for record in batch)
        glyphs = get_store().glyphs(record.id for record in batch)
        for record in batch:
            correction = current.get(record.id)
            labels = _labels(record, correction) if correction or not corrected_only else None
            pictures = glyphs.get(record.id, b"")
            if labels and len(pictures) == len(labels) * GLYPH_BYTES:
                for position, label in enumerate(labels):
                    yield pictures[position * GLYPH_BYTES :][:GLYPH_BYTES], label


def _labels(record: PredictionRecord, correction: Correction | None) -> list[int] | None:
    if correction is None:
        return [reading.digit for reading in record.digits]
    return correction.labels


def _idx_archive(records: Iterable[PredictionRecord], *, corrected_only: bool) -> Iterator[bytes]:
    """Build the zip in a file: the idx header needs the total count."""
    with tempfile.TemporaryFile() as images, tempfile.TemporaryFile() as archive:
        labels = bytearray()
        for glyph, label in labelled_glyphs(records, corrected_only=corrected_only):
            images.write(glyph)
            labels.append(label)
        images.seek(0)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
            with zipped.open(IMAGES_FILE, "w", force_zip64=True) as file:
                file.write(idx_header((len(labels), SIDE, SIDE)))
                shutil.copyfileobj(images, file)
            zipped.writestr(LABELS_FILE, idx_header((len(labels),)) + bytes(labels))
        archive.seek(0)
        yield from _chunks(archive)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(65_536):
        yield chunk


def _corrected(records: Iterable[PredictionRecord]) -> Iterator[PredictionRecord]:
    for batch in batched(records, BATCH_SIZE):
        current = corrections.current(record.id for record in batch)
        yield from (record for record in batch if record.id in current)


def _csv_line(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _without_formula(value: object) -> object:
    return _FORMULA_START.sub(_with_apostrophes, value) if isinstance(value, str) else value


def _with_apostrophes(start: re.Match[str]) -> str:
    """Add an apostrophe wherever a cell could begin, up to the sign that follows."""
    separator, blanks = start.groups()
    if blanks is None:  # a tab or line break begins the text
        return "'"
    return ("" if separator is None else f"{separator}'") + _BLANK.sub(r"\g<0>'", blanks)
