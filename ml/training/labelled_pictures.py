"""Labelled pictures of one's own as digits to train on, made by the reader that will read others.

Either a folder with ``labels.tsv`` (tab-separated, header ``file`` and ``text``), or one with
folders named 0 to 9, each with pictures of that digit.
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
_TOGETHER = 64


def load_pictures(directory: Path, reader: Reader) -> Digits:
    """Read labelled pictures and keep the digits that can be told apart.

    Where the reader finds as many digits as the label has, each gets its label; a picture where it
    finds more or fewer is left out, since nobody knows which is which.

    Parameters
    ----------
    directory
        With ``labels.tsv``, or folders named 0 to 9.
    reader
        Finds the digits; what it takes them for does not matter.

    Returns
    -------
    Digits
        The fingerprint is of all names, labels and contents, and has how many pictures were
        ``left_out``.

    Raises
    ------
    DatasetError
        When there are no labels, a label has no digit or other characters, a picture is missing or
        broken, or none can be used.
    """
    images, labels = [], []
    sha256, left_out = hashlib.sha256(), 0
    labelled = _labelled(directory)
    for start in range(0, len(labelled), _TOGETHER):
        some = labelled[start : start + _TOGETHER]
        contents = [_read(path) for path, _ in some]
        for (path, text), content, outcome in zip(
            some, contents, reader.read_batch(contents), strict=True
        ):
            if isinstance(outcome, PictureError):
                raise DatasetError(f"{path}: {outcome.message}")
            name = path.relative_to(directory).as_posix()
            sha256.update(f"{name}\t{text}\t{hashlib.sha256(content).hexdigest()}\n".encode())
            if len(outcome.digits) != len(text):
                left_out += 1
                continue
            images.append(outcome.glyphs)
            labels.append(np.array(list(text), np.uint8))
    if not images:
        raise DatasetError(f"{directory} holds no picture in which the labelled digits are found.")
    digits = np.concatenate(images)
    fingerprint: dict[str, str | int] = {
        "sha256": sha256.hexdigest(),
        "count": len(digits),
        "left_out": left_out,
    }
    return Digits(
        digits, np.concatenate(labels), fingerprints={directory.resolve().name: fingerprint}
    )


def _labelled(directory: Path) -> list[tuple[Path, str]]:
    """Give every picture with the digits that are written in it."""
    table = directory / LABELS_FILE
    labelled = list(_rows(table)) if table.is_file() else list(_files(directory))
    if not labelled:
        raise DatasetError(
            f"{directory} holds neither {LABELS_FILE} with pictures nor folders 0 to 9 of them."
        )
    return labelled


def _files(directory: Path) -> Iterator[tuple[Path, str]]:
    """Go through the folders of digits; what begins with a dot is the system's."""
    for folder in sorted(directory.glob("[!.]*/")):
        if folder.name not in set("0123456789"):
            raise DatasetError(
                f"{folder} is named after no digit: name folders 0 to 9 after what their pictures "
                f"show, or put {LABELS_FILE} into {directory}."
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
        raise DatasetError(f"{table} is no table of text in UTF-8 ({e}).") from e


def _file_in(row: dict[str, str | None], where: str) -> str:
    file = row["file"]
    if not file or Path(file).is_absolute():
        raise DatasetError(f"{where}: {file!r} is no file beside this table.")
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
