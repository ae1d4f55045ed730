"""Pictures for benchmarks: labelled ones by folder, and drawn ones."""

import csv
import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ml.data.dataset import load_digits, split
from ml.digits import DIGITS, MARKS, SYMBOLS
from ml.synthesis.pages import ComposedPage, Composer

NOT_DIGITS = "not_digits"  # the folder whose pictures show no digit
# Folders of whole numbers; the rest are digits.
SEVERAL_DIGITS = ("pages", "pages3", "strings", "cheques", "composed")
COMPOSED = "composed"  # pages composed from MNIST's validation writers
_COMPOSED_PAGES, _COMPOSED_SEED = 600, 2_000_003
_VISIBLE = 0.7  # share of a digit from which it is to be read


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and its text, with lines separated by `|`; empty without digits.

    The marked text, with points, commas, slashes, dashes and colons, is known of some.
    """

    name: str
    content: bytes
    text: str
    marked_text: str | None = None


def photo_folders(data: Path) -> list[str]:
    """Return the folders of photos in the order of their labels."""
    return list(dict.fromkeys(row["file"].split("/")[0] for row in _labels(data)))


def load_pictures(data: Path, folder: str, limit: int | None) -> list[LabelledPicture]:
    """Load a folder of photos or a set of digits, or an evenly spaced sample of it."""
    if folder == COMPOSED:
        return _composed(data, limit or _COMPOSED_PAGES)
    if folder in DIGIT_SETS:
        pictures, labels = DIGIT_SETS[folder](data)
        return [
            LabelledPicture(f"{folder}/{n}", _png(pictures[n]), str(labels[n]))
            for n in _spread(len(labels), limit)
        ]
    rows = [row for row in _labels(data) if row["file"].split("/")[0] == folder]
    marks = {row["file"]: row["marked_text"] for row in _labels(data, "marks.tsv")}
    return [
        LabelledPicture(
            name := rows[n]["file"],
            (data / "photos" / name).read_bytes(),
            rows[n]["text"] or "",
            marks.get(name),
        )
        for n in _spread(len(rows), limit)
    ]


def draw_text(text: str, size: int = 200, *, ending: str = ".png", paper: int = 255) -> bytes:
    """Draw dark text on a square page; return it encoded."""
    page = np.full((size, size), paper, np.uint8)
    scale, thickness = size / 40, max(1, size // 14)
    origin = (size // 4, size * 3 // 4)
    cv2.putText(page, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, 20, thickness, cv2.LINE_AA)
    return cv2.imencode(ending, page)[1].tobytes()


def _composed(data: Path, count: int) -> list[LabelledPicture]:
    composer = Composer(split(load_digits(data / "mnist", "training")).validation)
    pictures: list[LabelledPicture] = []
    for n in itertools.count():
        if len(pictures) == count:
            return pictures
        page = composer.page(np.random.default_rng((_COMPOSED_SEED, n)))
        # What is cut off at an edge is neither right nor wrong.
        if all(symbol.visible >= _VISIBLE for symbol in page.symbols):
            text, marked = (_text_of(page, known) for known in (DIGITS, DIGITS + len(MARKS)))
            pictures.append(LabelledPicture(f"composed/{n}", _png(page.picture), text, marked))
    raise AssertionError


def _text_of(page: ComposedPage, known: int) -> str:
    """Return the symbols of a page that come first in `SYMBOLS`, in reading order."""
    return "".join(SYMBOLS[s.symbol] for s in page.symbols if s.symbol < known)


def _labels(data: Path, name: str = "labels.tsv") -> list[dict[str, str]]:
    with (data / "photos" / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _spread(count: int, limit: int | None) -> list[int]:
    wanted = min(count, limit or count)
    return [n * count // wanted for n in range(wanted)]


def _png(page: np.ndarray) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(page).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _mnist_test(data: Path) -> tuple[np.ndarray, np.ndarray]:
    digits = load_digits(data / "mnist", "test")
    return 255 - digits.images, digits.labels  # black on white


def _mnist_validation(data: Path) -> tuple[np.ndarray, np.ndarray]:
    digits = split(load_digits(data / "mnist", "training")).validation
    return 255 - digits.images, digits.labels


def _semeion(data: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(data / "semeion" / "semeion.npz") as arrays:
        return 255 - arrays["x"], arrays["y"]


# Digits stored as arrays, each encoded as a PNG file. Tune on the validation digits; the test
# digits are for the final measurement.
DIGIT_SETS: dict[str, Callable[[Path], tuple[np.ndarray, np.ndarray]]] = {
    "semeion": _semeion,
    "mnist_validation": _mnist_validation,
    "mnist_test": _mnist_test,
}
