"""Pictures for benchmarks: labelled ones by folder, and drawn ones."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ml.data.dataset import load_digits, split

NOT_DIGITS = "not_digits"  # the folder whose pictures show no digit
# Folders of whole numbers; the rest are digits.
SEVERAL_DIGITS = ("pages", "pages3", "strings", "cheques")


@dataclass(frozen=True)
class LabelledPicture:
    """A picture file and its text, with lines separated by `|`; empty without digits."""

    name: str
    content: bytes
    text: str


def photo_folders(data: Path) -> list[str]:
    """Return the folders of photos in the order of their labels."""
    return list(dict.fromkeys(row["file"].split("/")[0] for row in _labels(data)))


def load_pictures(data: Path, folder: str, limit: int | None) -> list[LabelledPicture]:
    """Load a folder of photos or a set of digits, or an evenly spaced sample of it."""
    if folder in DIGIT_SETS:
        pictures, labels = DIGIT_SETS[folder](data)
        return [
            LabelledPicture(f"{folder}/{n}", _png(pictures[n]), str(labels[n]))
            for n in _spread(len(labels), limit)
        ]
    rows = [row for row in _labels(data) if row["file"].split("/")[0] == folder]
    return [
        LabelledPicture(
            rows[n]["file"], (data / "photos" / rows[n]["file"]).read_bytes(), rows[n]["text"] or ""
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


def _labels(data: Path) -> list[dict[str, str]]:
    with (data / "photos" / "labels.tsv").open(newline="") as file:
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
