"""Training digits from one's own labelled pictures, segmented by the production reader.

The pictures are in a folder with ``labels.tsv`` (tab-separated, header ``file`` and ``text``), or
in folders named 0 to 9, one per digit.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ml.data.dataset import Digits
from ml.errors import DatasetError, PictureError
from ml.reading.reader import Reader

LABELS_FILE = "labels.tsv"
_BATCH_SIZE = 64


def load_pictures(directory: Path, reader: Reader) -> Digits:
    """Read labelled pictures as labelled digits.

    A picture where the reader finds more or fewer digits than the label has is skipped, since they
    cannot be matched.

    Parameters
    ----------
    directory
        With ``labels.tsv``, or folders named 0 to 9.
    reader
        Locates the digits; its classification is ignored.

    Returns
    -------
    Digits
        The fingerprint covers all names, labels and contents; its ``left_out`` counts the skipped
        pictures.

    Raises
    ------
    DatasetError
        When there are no labels, a label is not all digits, a picture is missing or broken, or none
        is usable.
    """
    images, labels = [], []
    sha256, skipped = hashlib.sha256(), 0
    labelled = _labelled(directory)
    for start in range(0, len(labelled), _BATCH_SIZE):
        batch = labelled[start : start + _BATCH_SIZE]
        contents = [_read(path) for path, _ in batch]
        for (path, text), content, outcome in zip(
            batch, contents, reader.read_batch(contents), strict=True
        ):
            if isinstance(outcome, PictureError):
                raise DatasetError(f"{path}: {outcome.message}")
            name = path.relative_to(directory).as_posix()
            sha256.update(f"{name}\t{text}\t{hashlib.sha256(content).hexdigest()}\n".encode())
            if len(outcome.digits) != len(text):
                skipped += 1
                continue
            images.append(outcome.glyphs)
            labels.append(np.array(list(text), np.uint8))
    if not images:
        raise DatasetError(f"{directory} holds no picture in which all labelled digits were found.")
    digits = np.concatenate(images)
    fingerprint: dict[str, str | int] = {
        "sha256": sha256.hexdigest(),
        "count": len(digits),
        "left_out": skipped,
    }
    return Digits(
        digits, np.concatenate(labels), fingerprints={directory.resolve().name: fingerprint}
    )


def _labelled(directory: Path) -> list[tuple[Path, str]]:
    """Return all pictures with their labels."""
    table = directory / LABELS_FILE
    labelled = list(_rows(table)) if table.is_file() else list(_files(directory))
    if not labelled:
        raise DatasetError(
            f"{directory} holds neither {LABELS_FILE} with pictures nor folders 0 to 9 of them."
        )
    return labelled


def _files(directory: Path) -> Iterator[tuple[Path, str]]:
    """Iterate over the folders of digits, skipping hidden files."""
    for folder in sorted(directory.glob("[!.]*/")):
        if folder.name not in set("0123456789"):
            raise DatasetError(
                f"{folder} is not named after a digit: name folders 0 to 9 by what their pictures "
                f"show, or add {LABELS_FILE} to {directory}."
            )
        for path in sorted(folder.glob("[!.]*")):
            yield path, folder.name


def _rows(table: Path) -> Iterator[tuple[Path, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t", strict=True)
            if not {"file", "text"} <= set(rows.fieldnames or ()):
                raise DatasetError(f"{table} needs a header with the columns file and text.")
            for row in rows:
                where = f"{table}, line {rows.line_num}"
                yield table.parent / _file_in(row, where), _text_in(row, where)
    except (UnicodeDecodeError, csv.Error) as e:
        raise DatasetError(f"{table} is not a tab-separated table in UTF-8 ({e}).") from e


def _file_in(row: dict[str, str | None], where: str) -> str:
    file = row["file"]
    if not file or Path(file).is_absolute():
        raise DatasetError(f"{where}: {file!r} is not a file relative to this table.")
    return file


def _text_in(row: dict[str, str | None], where: str) -> str:
    text = "".join((row["text"] or "").split())
    if not text.isascii() or not text.isdigit():
        raise DatasetError(f"{where}: {row['text']!r} is not a label of digits.")
    return text


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise DatasetError(f"{path} cannot be read ({e.strerror}).") from e
