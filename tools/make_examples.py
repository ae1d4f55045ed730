"""Make the examples of the first page: `python -m tools.make_examples`.

Photographs of notes in one unsteady hand, on the kinds of paper that people write on. Digits are
drawn by `ml.synthesis.digit_forms`, so no data set is needed, and the same code makes the same
pictures.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.synthesis.camera import smooth
from ml.synthesis.digit_forms import draw_form

Colour = tuple[int, int, int]  # red, green, blue
Points = Sequence[tuple[float, float]]

FOLDER = Path(__file__).resolve().parents[1] / "predictions/static/predictions/examples"
SIZE = (480, 360)  # pixels of an example
THUMBNAIL = (240, 180)
SCALE = 3  # drawn larger, then reduced: smooth edges
QUALITY = 74
BLUE, BLACK, PENCIL, RED = (38, 62, 140), (38, 38, 44), (92, 92, 98), (176, 48, 52)
# The form in which this hand writes each digit.
HAND = {0: 0, 1: 1, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0}
# Strokes of marks in heights of a digit: x to the right, y down from its upper edge.
MARKS: dict[str, Points] = {
    ".": [(0.04, 0.96), (0.06, 0.98)],
}
SCRIBBLE = [
    (0.1 + 0.02 * n + 0.12 * np.cos(0.9 * n), 0.5 + 0.35 * np.sin(0.9 * n))
    for n in np.arange(0, 60, 0.25)
]


class Note:
    """A sheet of paper in colour, and the pen that writes on it."""

    def __init__(self, seed: int, *, paper: Colour, pen: Colour, width: float) -> None:
        self.rng = np.random.default_rng(seed)
        shape = (SIZE[1] * SCALE, SIZE[0] * SCALE)
        self.page = np.full((*shape, 3), paper, np.float32)
        self.ink = np.zeros(shape, np.uint8)
        self.pen, self.width = pen, width

    def print_line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour,
                   width: float = 1.0) -> None:  # fmt: skip
        """Print a line on the paper."""
        a, b = (tuple(round(v * SCALE) for v in point) for point in (start, end))
        cv2.line(self.page, a, b, colour, max(1, round(width * SCALE)), cv2.LINE_AA)

    def write(self, text: str, x: float, y: float, height: float, *, gap: float = 0.2) -> float:
        """Write to the right of x, the digits' upper edge at y; return where the text ends."""
        for letter in text:
            size = height * self.rng.normal(1, 0.03)
            drop = height * self.rng.normal(0, 0.03)
            if letter in MARKS:
                points = np.array(MARKS[letter])
                self.stroke(points, x, y, size)
                x += (float(np.ptp(points[:, 0])) + gap) * size
                continue
            drawn = draw_form(
                int(letter), HAND[int(letter)], self.rng,
                height=round(size * SCALE), pen=self.width * SCALE,
            )  # fmt: skip
            drawn = drawn[:, np.flatnonzero(drawn.any(axis=0))[0] :]
            drawn = drawn[np.flatnonzero(drawn.any(axis=1))[0] :]
            drawn = drawn[:, : np.flatnonzero(drawn.any(axis=0))[-1] + 1]
            self._put(drawn, x, y + drop)
            x += drawn.shape[1] / SCALE + gap * size
        return x

    def stroke(self, points: Points | NDArray[np.float64], x: float, y: float, size: float) -> None:
        """Draw an unsteady line through points in units of `size`."""
        places = np.array(points) + self.rng.normal(0, 0.006, np.shape(points))
        places = (places * size + (x, y)) * SCALE
        pen = max(1, round(self.width * SCALE))
        cv2.polylines(
            self.ink, [np.rint(places * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 4
        )

    def photograph(self, *, turn: float) -> Image.Image:
        """Take a picture from a hand, in the light of a lamp beside the sheet."""
        rng, shape = self.rng, self.ink.shape
        ink = cv2.GaussianBlur(self.ink, (0, 0), 0.5 * SCALE).astype(np.float32) / 255
        ink *= np.clip(0.9 + 0.09 * smooth(shape, rng, cells=40), 0.5, 1)
        page = self.page + (np.array(self.pen, np.float32) - self.page) * ink[..., np.newaxis]
        height, width = shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.04)
        page = cv2.warpAffine(page, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        page = cv2.resize(page, SIZE, interpolation=cv2.INTER_AREA)
        across, down = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
        light = 1.0 - 0.05 * across - 0.06 * down - 0.04 * (across**2 + down**2)
        page *= light[..., np.newaxis]
        page += rng.normal(0, 1.2, page.shape[:2])[..., np.newaxis]
        return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))

    def _put(self, drawn: NDArray[np.uint8], x: float, y: float) -> None:
        left, top = round(x * SCALE), round(y * SCALE)
        place = self.ink[top : top + drawn.shape[0], left : left + drawn.shape[1]]
        np.maximum(place, drawn[: place.shape[0], : place.shape[1]], out=place)


def _digit(text: str) -> Image.Image:
    note = Note(1, paper=(250, 246, 236), pen=BLUE, width=15)
    note.write(text, 180, 75, 200)
    return note.photograph(turn=2)


def _number(text: str) -> Image.Image:
    note = Note(2, paper=(247, 246, 243), pen=PENCIL, width=6)
    note.write(text, 70, 135, 84, gap=0.2)
    return note.photograph(turn=-2)


def _page(text: str) -> Image.Image:
    note = Note(3, paper=(252, 250, 244), pen=BLUE, width=4)
    for y in range(28, 400, 78):
        note.print_line((-40, y), (540, y), (176, 196, 222))
    note.print_line((70, -40), (70, 400), (226, 150, 150), 1.4)
    for row, line in enumerate(text.split("\n")):
        note.write(line, 98, 49 + 78 * row, 52, gap=0.26)
    return note.photograph(turn=-1)


def _squares(text: str) -> Image.Image:
    note = Note(4, paper=(250, 249, 245), pen=BLACK, width=5)
    for at in range(-12, 540, 24):
        note.print_line((at, -40), (at, 400), (190, 205, 228), 0.8)
        note.print_line((-40, at), (540, at), (190, 205, 228), 0.8)
    for row, line in enumerate(text.split("\n")):
        note.write(line, 110, 78 + 120 * row, 84, gap=0.25)
    return note.photograph(turn=3)


def _amount(text: str) -> Image.Image:
    note = Note(5, paper=(226, 238, 228), pen=BLUE, width=5.5)
    xs = np.arange(-20, 520, 4)
    for n in range(-6, 40):
        wave = 12 * n + 9 * np.sin(xs / 38 + n * 0.5)
        points = np.rint(np.stack([xs, wave], axis=1) * SCALE).astype(np.int32)
        cv2.polylines(note.page, [points], False, (205, 223, 209), 2, cv2.LINE_AA)
    corners = [(46, 112), (434, 112), (434, 252), (46, 252)]
    cv2.fillPoly(note.page, [np.array(corners) * SCALE], (244, 249, 244))
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        note.print_line(a, b, (120, 158, 132), 1.6)
    note.write(text, 78, 152, 58, gap=0.22)
    return note.photograph(turn=1)


def _date(text: str) -> Image.Image:
    note = Note(8, paper=(252, 232, 146), pen=BLACK, width=5)
    note.write(text, 48, 148, 58, gap=0.2)
    return note.photograph(turn=2)


def _table(text: str) -> Image.Image:
    note = Note(7, paper=(251, 250, 247), pen=RED, width=3.6)
    for n in range(4):
        note.print_line((42, 36 + 96 * n), (438, 36 + 96 * n), (120, 126, 140), 1.2)
        note.print_line((42 + 132 * n, 36), (42 + 132 * n, 324), (120, 126, 140), 1.2)
    for row, line in enumerate(text.split("\n")):
        for column, number in enumerate(line.split(" ")):
            note.write(number, 70 + 132 * column, 60 + 96 * row, 46, gap=0.2)
    return note.photograph(turn=-1)


def _scribble(text: str) -> Image.Image:
    note = Note(9, paper=(249, 247, 240), pen=BLUE, width=9)
    note.stroke(SCRIBBLE, 110, 80, 200)
    return note.photograph(turn=-2)


# Of each example, in the order of the thumbnails: its text, marks included, and how it is drawn.
EXAMPLES: dict[str, tuple[str, Callable[[str], Image.Image]]] = {
    "digit": ("7", _digit),
    "number": ("2048", _number),
    "page": ("4172\n935\n60218\n874", _page),
    "squares": ("365\n1296", _squares),
    "amount": ("248.50", _amount),
    "date": ("24.07.26", _date),
    "table": ("12 48 96\n37 5 64\n80 29 13", _table),
    "scribble": ("", _scribble),
}


def save(picture: Image.Image, file: IO[bytes]) -> None:
    """Encode an example."""
    picture.save(file, "WEBP", quality=QUALITY, method=6)


def main() -> None:
    """Write each example, and one picture of all thumbnails side by side."""
    FOLDER.mkdir(exist_ok=True)
    thumbnails = Image.new("RGB", (THUMBNAIL[0] * len(EXAMPLES), THUMBNAIL[1]))
    for place, (name, (text, draw)) in enumerate(EXAMPLES.items()):
        picture = draw(text)
        with (FOLDER / f"{name}.webp").open("wb") as file:
            save(picture, file)
        small = picture.resize(THUMBNAIL, Image.Resampling.LANCZOS)
        thumbnails.paste(small, (THUMBNAIL[0] * place, 0))
    thumbnails.save(FOLDER / "thumbnails.webp", quality=60, method=6)


if __name__ == "__main__":
    main()
