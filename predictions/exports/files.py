"""Predictions as files: a table, JSON a line, or labelled pictures in MNIST's format.

All are made piece by piece, so that memory does not grow with what is exported.
"""

import csv
import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import IO, Any

import orjson
from rest_framework.request import Request

from ml.data.idx import idx_header
from ml.digits import SIDE
from predictions.core.records import GLYPH_BYTES, Filters, PredictionRecord
from predictions.review import corrections
from predictions.review.models import Correction
from predictions.stores import get_store
from predictions.web.json import predictions_json

BATCH_SIZE = 500
IMAGES_FILE, LABELS_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
# What fits into a cell, in the order of the columns.
COLUMNS = (
    "text",
    "status",
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
    "url",
)
CORRECTION_COLUMNS = {
    f"correction_{name}": name for name in ("verdict", "text", "by", "at")
}  # column: field of the correction
# A spreadsheet takes a cell that begins so for a formula, and runs it.
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """In which form predictions are exported."""

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
    filters: Filters, form: Format, *, corrected_only: bool = False, request: Request | None = None
) -> Iterator[bytes]:
    """Return every prediction that the filters let through, newest first, in pieces of a file.

    Parameters
    ----------
    filters
        Which predictions.
    form
        ``idx`` gives a zip of pictures and labels, a digit each: where a correction labels the
        digits, those labels, else what was read. What no digit can be said of is left out.
    corrected_only
        Whether only those with a correction are exported; of ``idx``, only labelled digits.
    request
        Makes addresses absolute.
    """
    records = get_store().export(filters)
    if corrected_only:
        records = _corrected(records)
    if form == Format.CSV:
        return csv_lines(records, request)
    if form == Format.JSONL:
        return _json_lines(records, request)
    return _idx_archive(records, corrected_only=corrected_only)


def csv_lines(records: Iterable[PredictionRecord], request: Request | None) -> Iterator[bytes]:
    """Write a head, and a line a prediction; no cell begins as a formula does."""
    yield _csv_line([*COLUMNS, *CORRECTION_COLUMNS])
    for some in _batches(records):
        for shown in predictions_json(some, request):
            said = shown["correction"] or {}
            cells = [shown[name] for name in COLUMNS]
            cells += [said.get(name) for name in CORRECTION_COLUMNS.values()]
            yield _csv_line([_harmless(cell) for cell in cells])


def _json_lines(records: Iterable[PredictionRecord], request: Request | None) -> Iterator[bytes]:
    for some in _batches(records):
        for row in predictions_json(some, request):
            yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def labelled_glyphs(
    records: Iterable[PredictionRecord], *, corrected_only: bool
) -> Iterator[tuple[bytes, int]]:
    """Return what the network saw of each digit, 784 bytes, with its label."""
    for some in _batches(records):
        standing = corrections.current(record.id for record in some)
        glyphs = get_store().glyphs(record.id for record in some)
        for record in some:
            correction = standing.get(record.id)
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
    """Make the zip in a file: idx says at its beginning how many there are in all."""
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
        yield from _pieces(archive)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(65_536):
        yield piece


def _corrected(records: Iterable[PredictionRecord]) -> Iterator[PredictionRecord]:
    for some in _batches(records):
        standing = corrections.current(record.id for record in some)
        yield from (record for record in some if record.id in standing)


def _batches(records: Iterable[PredictionRecord]) -> Iterator[list[PredictionRecord]]:
    remaining = iter(records)
    while some := list(islice(remaining, BATCH_SIZE)):
        yield some


def _csv_line(cells: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA_BEGINNINGS):
        return f"'{value}"
    return value
