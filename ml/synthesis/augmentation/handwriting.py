"""Digit forms that are common elsewhere but rare in MNIST's American handwriting.

A 1 with a flag and a foot, a 7 with a crossbar, a 0 with a slash or a dot; and drawn digits, most
often those that are written in the most ways.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.model.normalisation import crop, normalise, stroke_width
from ml.synthesis.digit_forms import choose_form, draw_form

Picture = NDArray[np.uint8]  # (28, 28), ink bright on 0
Point = tuple[float, float]

_SHARES = {0: 0.1, 1: 0.3, 7: 0.15}  # of the class to change
_DRAWN_SHARES = (0.04, 0.1, 0.12, 0.05, 0.12, 0.12, 0.05, 0.06, 0.05, 0.12)  # of each class
_DRAWN_HEIGHT = 40  # pixels, before it is normalised
_FLAG_DEGREES = (20.0, 60.0)  # between stem and flag of a 1
_MAX_LONG_FLAG_DEGREES = 45.0  # for the longest flag
_MIN_SLOPE_DEGREES = 30.0  # of a flag: a horizontal one would make a 7
_FLAG_LENGTH = (0.2, 0.85)  # of the height
_FOOT_SHARE = 0.3
_STROKE = 100  # of 255; fainter pixels are the edge of a stroke
_SHIFT = 4  # fractional bits of coordinates given to OpenCV


def vary_forms(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change a share of the 0s, 1s and 7s to another common form.

    Parameters
    ----------
    images
        uint8 (N, 28, 28), ink bright on 0.
    labels
        uint8 (N,).
    rng
        Source of randomness.

    Returns
    -------
    ndarray
        uint8 (N, 28, 28), a copy, normalised again where changed.
    """
    images = images.copy()
    shares = np.array([_SHARES.get(int(label), 0.0) for label in labels])
    for i in np.flatnonzero(rng.random(len(images)) < shares):
        changed = _FORMS[int(labels[i])](images[i], rng)
        images[i] = normalise(crop(changed))
    return images


def draw_forms(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Replace a share of the digits by drawn ones, of another form.

    Parameters and result are those of `vary_forms`.
    """
    images = images.copy()
    shares = np.array([*_DRAWN_SHARES, 0.0])[labels]  # the last: no digit
    for i in np.flatnonzero(rng.random(len(images)) < shares):
        digit = int(labels[i])
        pen = _DRAWN_HEIGHT * rng.uniform(0.06, 0.2)
        drawn = draw_form(digit, choose_form(digit, rng), rng, height=_DRAWN_HEIGHT, pen=pen)
        images[i] = normalise(crop(drawn))
    return images


def _flagged_one(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add a flag, sloping down to the left, to a 1, and sometimes a foot."""
    rows, columns = np.nonzero(picture > _STROKE)
    if len(rows) < 2:
        return picture
    top = (float(columns[rows == rows[0]].mean()), float(rows[0]) + 0.5)
    foot = (float(columns[rows == rows[-1]].mean()), float(rows[-1]))
    height = max(1.0, foot[1] - top[1])
    stem = np.degrees(np.arctan2(height, top[0] - foot[0]))  # 90 if vertical, less if leaning right
    part = rng.uniform(*_FLAG_LENGTH)
    widest = np.interp(part, _FLAG_LENGTH, (_FLAG_DEGREES[1], _MAX_LONG_FLAG_DEGREES))
    angle = np.deg2rad(max(_MIN_SLOPE_DEGREES, stem - rng.uniform(_FLAG_DEGREES[0], widest)))
    length = height * part
    tip = (top[0] - length * np.cos(angle), top[1] + length * np.sin(angle))
    flagged = _line(picture, top, tip, rng)
    if rng.random() < _FOOT_SHARE:
        left, right = height * rng.uniform(0.1, 0.4, 2)
        flagged = _line(flagged, (foot[0] - left, foot[1]), (foot[0] + right, foot[1]), rng)
    return flagged


def _crossed_seven(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add a crossbar to a 7, about halfway down."""
    _, y, _, height = cv2.boundingRect((picture > _STROKE).astype(np.uint8))
    row = min(len(picture) - 1, int(y + height * rng.uniform(0.4, 0.62)))
    columns = np.flatnonzero(picture[row] > _STROKE)
    if not len(columns):
        return picture
    left, right = height * rng.uniform(0.15, 0.35, 2)
    rise = height * rng.uniform(-0.05, 0.12)
    middle = float(columns.mean())
    return _line(picture, (middle - left, row + rise), (middle + right, row - rise), rng)


def _slashed_zero(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add a slash or a dot to a 0."""
    x, y, width, height = cv2.boundingRect((picture > _STROKE).astype(np.uint8))
    middle = (x + width / 2, y + height / 2)
    if rng.random() < 0.3:
        return _line(picture, middle, middle, rng)
    run, rise = rng.uniform(0.2, 0.5) * width, rng.uniform(0.2, 0.45) * height
    return _line(
        picture, (middle[0] - run, middle[1] + rise), (middle[0] + run, middle[1] - rise), rng
    )


_FORMS: dict[int, Callable[[Picture, np.random.Generator], Picture]] = {
    0: _slashed_zero,
    1: _flagged_one,
    7: _crossed_seven,
}


def _line(picture: Picture, start: Point, end: Point, rng: np.random.Generator) -> Picture:
    """Draw a straight line about as thick as the digit's strokes."""
    pen = max(1, round(stroke_width(picture) * rng.uniform(0.7, 1.05)))
    start, end = (
        np.rint(np.array(point) * 2**_SHIFT).astype(int).tolist() for point in (start, end)
    )
    drawn = np.zeros_like(picture)
    cv2.line(drawn, start, end, int(picture.max()), pen, cv2.LINE_AA, _SHIFT)
    return np.maximum(picture, drawn)
