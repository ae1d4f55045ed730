"""The steps of reading a picture, as images for people."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey
from ml.files.numbers import picture_from_pixels
from ml.files.picture import DecodedPicture
from ml.reading.evidence import Evidence
from ml.reading.ink import factor_to, shrink
from ml.reading.judgement import ACCEPTED
from ml.reading.networks import FloatArray
from ml.reading.reader import Interpretation, Reader
from ml.reading.result import Reading

MAX_SIDE = 1024  # pixels of a step's image
MIN_LONGER_SIDE = 320  # pixels; smaller images are enlarged
GLYPHS_PER_ROW = 10
GLYPH_GAP = 2  # pixels, before enlarging
BOX_COLOUR = (214, 51, 108)  # red, green, blue
LEFT_OUT_COLOUR = (255, 166, 0)  # of what may be a digit, but was not taken for one
LINE_COLOUR = (31, 119, 180)
HEAT_COLOUR = np.array((214, 51, 108), np.float32)

Colour = npt.NDArray[np.uint8]  # (H, W, 3), red, green, blue


@dataclass(frozen=True, eq=False)
class Step:
    """One step of reading.

    Parameters
    ----------
    name
        ``page``, ``heat``, ``lines``, ``boxes`` or ``digits``.
    image : uint8, shape (H, W) or (H, W, 3)
        Its output, grey or RGB; no side exceeds `MAX_SIDE`.
    """

    name: str
    image: npt.NDArray[np.uint8]


def explain(page: Grey, interpretation: Interpretation, reading: Reading) -> list[Step]:
    """Illustrate how a picture was read.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Upright, at full size.
    interpretation
        What stands on the page.
    reading
        The reading built from it.

    Returns
    -------
    list of Step
        In processing order. ``heat`` and ``lines`` only for a picture that was not read as one
        digit at once; ``digits`` only if any were found.
    """
    small = _enlarge(shrink(page, factor_to(page.shape, MAX_SIDE)))
    steps = [Step("page", small)]
    if interpretation.evidence is not None:
        evidence = interpretation.evidence
        steps.append(Step("heat", _draw_heat(small, evidence.findings.heat)))
        steps.append(Step("lines", _draw_lines(small, evidence, page.shape[1])))
    steps.append(Step("boxes", _draw_boxes(small, reading)))
    if reading.digits:
        steps.append(Step("digits", _enlarge(_tile(reading.glyphs))))
    return steps


def read_explained(reader: Reader, content: bytes) -> Iterator[tuple[Reading, list[Step]]]:
    """Read the pages of a file and illustrate how.

    Parameters
    ----------
    reader
        The reader to use.
    content
        The whole file.

    Returns
    -------
    iterator of (Reading, list of Step)
        One pair per page.

    Raises
    ------
    PictureError
        When a page cannot be decoded.
    """
    return (_explained(reader, *page) for page in reader.interpret_pages(content))


def read_pixels_explained(
    reader: Reader, pixels: Sequence[Sequence[float]]
) -> tuple[Reading, list[Step]]:
    """Read a picture given as numbers and illustrate how.

    Parameters
    ----------
    reader
        The reader to use.
    pixels : shape (28, 28)
        As in `Reader.read_pixels`.

    Returns
    -------
    reading
        The result.
    steps
        How it was read.

    Raises
    ------
    PictureError
        ``wrong_pixels``.
    """
    start = time.perf_counter()
    picture = picture_from_pixels(pixels)
    return _explained(reader, picture, reader.interpret(picture.page), start)


def _explained(
    reader: Reader, picture: DecodedPicture, interpretation: Interpretation, start: float
) -> tuple[Reading, list[Step]]:
    reading = reader.build_reading(picture, interpretation, start=start)
    return reading, explain(picture.page, interpretation, reading)


def _draw_heat(image: Grey, heat: FloatArray) -> Colour:
    """Colour where the finder sees digits, on a faint picture."""
    height, width = image.shape
    large = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)[..., np.newaxis]
    faint = 255 - (255 - image[..., np.newaxis].astype(np.float32)) / 2
    return np.asarray(faint * (1 - large) + HEAT_COLOUR * large, np.uint8)


def _draw_lines(image: Grey, evidence: Evidence, page_width: int) -> Colour:
    """Draw what may be digits, and join those that are read in one line."""
    coloured = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    scale = image.shape[1] / page_width
    thickness = max(1, round(max(image.shape) / 400))
    last: tuple[int, tuple[int, int]] | None = None
    for slot in evidence.slots:
        x, y, width, height = (side * scale for side in slot.box)
        colour = BOX_COLOUR if slot.probability >= ACCEPTED else LEFT_OUT_COLOUR
        corner, opposite = (round(x), round(y)), (round(x + width), round(y + height))
        cv2.rectangle(coloured, corner, opposite, colour, thickness)
        middle = (round(x + width / 2), round(y + height / 2))
        if slot.probability >= ACCEPTED:
            if last is not None and last[0] == slot.line:
                cv2.line(coloured, last[1], middle, LINE_COLOUR, thickness, cv2.LINE_AA)
            last = slot.line, middle
    return np.asarray(coloured)


def _draw_boxes(image: Grey, reading: Reading) -> Colour:
    coloured = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    scale = image.shape[1] / reading.width
    thickness = max(1, round(max(image.shape) / 400))
    for digit in reading.digits:
        x, y, width, height = (round(side * scale) for side in digit.box)
        cv2.rectangle(coloured, (x, y), (x + width, y + height), BOX_COLOUR, thickness)
        size = float(np.clip(height / 60, 0.4, 1.5))
        at = (x, max(y - 2 * thickness, round(22 * size)))
        cv2.putText(
            coloured,
            str(digit.digit),
            at,
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            BOX_COLOUR,
            thickness,
            cv2.LINE_AA,
        )
    return np.asarray(coloured)


def _tile(glyphs: npt.NDArray[np.uint8]) -> Grey:
    """Tile (n, 28, 28) in rows, on grey."""
    _, height, width = glyphs.shape
    rows = math.ceil(len(glyphs) / GLYPHS_PER_ROW)
    columns = min(len(glyphs), GLYPHS_PER_ROW)
    sheet = np.full(
        (rows * (height + GLYPH_GAP) + GLYPH_GAP, columns * (width + GLYPH_GAP) + GLYPH_GAP),
        128,
        np.uint8,
    )
    for n, glyph in enumerate(glyphs):
        y = GLYPH_GAP + n // GLYPHS_PER_ROW * (height + GLYPH_GAP)
        x = GLYPH_GAP + n % GLYPHS_PER_ROW * (width + GLYPH_GAP)
        sheet[y : y + height, x : x + width] = glyph
    return sheet


def _enlarge(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Enlarge a small image by an integer factor, without interpolation."""
    factor = max(1, math.ceil(MIN_LONGER_SIDE / max(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)
