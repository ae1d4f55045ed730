"""One person's handwriting with one pen: digits and marks at any size.

Digits come from MNIST's pictures, mostly of one writer, enlarged and brought to the pen's width,
and from `ml.synthesis.digit_forms`.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.data.dataset import Digits
from ml.digits import DIGITS
from ml.synthesis.augmentation.handwriting import vary_forms
from ml.synthesis.digit_forms import choose_form, draw_form

Ink = NDArray[np.uint8]  # (h, w), bright on 0

_FORMS_SHARE = 0.25  # of hands that draw all their digits by forms
_SOME_FORMS_SHARE = 0.12  # of the other hands' digits
_LEANING_SHARE = 0.12  # of hands that lean far to the right
_MIXED_SHARE = 0.15  # of hands with digits of all writers
_SCALE = 4  # MNIST's digits are enlarged by this before their strokes are changed
_STROKE = 115  # of 255, after enlarging
_INK = 60  # of 255: what counts for a glyph's outline


class Glyph(NamedTuple):
    """A drawn digit or mark.

    Attributes
    ----------
    ink
        uint8 (h, w), bright on 0.
    outline
        float32 (n, 2), the convex hull of its ink, x and y from the ink's upper left corner.
    """

    ink: Ink
    outline: NDArray[np.float32]


class Hand:
    """A random hand.

    Parameters
    ----------
    digits
        With writers, if known.
    by_class
        Indices into ``digits`` of each class.
    rng
        Source of randomness.

    Attributes
    ----------
    pen
        Diameter of the pen as a share of a digit's height.
    neatness
        Standard deviation of sizes and places as a share of a digit's height; less is neater.
    """

    def __init__(
        self, digits: Digits, by_class: list[NDArray[np.intp]], rng: np.random.Generator
    ) -> None:
        self._digits, self._rng = digits, rng
        self.pen = float(np.exp(rng.uniform(np.log(0.04), np.log(0.2))))
        self.neatness = float(rng.uniform(0.02, 0.12))
        leans = rng.random() < _LEANING_SHARE
        self._slant = rng.normal(0.45, 0.13) if leans else rng.normal(0.08, 0.17)
        self._aspect = rng.uniform(0.85, 1.2)
        self._heights = rng.normal(1, 0.06, DIGITS)
        if rng.random() < 0.3:  # small zeros
            self._heights[0] *= rng.uniform(0.5, 1)
        if rng.random() < 0.3:  # tall ones, sevens, nines: strokes that go below the line
            self._heights[[1, 7, 9]] *= rng.uniform(0.9, 1.6, 3)
        share = 1 if rng.random() < _FORMS_SHARE else _SOME_FORMS_SHARE
        self._drawn = rng.random(DIGITS) < share
        self._forms = [choose_form(digit, rng) for digit in range(DIGITS)]
        self._own = by_class
        if digits.writers is not None and rng.random() >= _MIXED_SHARE:
            writer = digits.writers[rng.integers(len(digits))]
            own = [pool[digits.writers[pool] == writer] for pool in by_class]
            self._own = [
                mine if len(mine) else pool for mine, pool in zip(own, by_class, strict=True)
            ]
        self._varied = rng.random() < 0.5

    def digit(self, digit: int, height: float) -> Glyph | None:
        """Write a digit about ``height`` pixels high; None if it came out blank."""
        rng = self._rng
        height = max(3.0, height * rng.normal(1, self.neatness) * self._heights[digit])
        pen = self.pen * rng.uniform(0.85, 1.15)
        if self._drawn[digit]:
            canvas = int(np.clip(2 * height, 24, 160))  # then reduced: smooth edges
            drawn = draw_form(digit, self._forms[digit], rng, height=canvas, pen=pen * canvas)
            inner = float(canvas)
        else:
            drawn, inner = self._enlarged(digit, pen)
        return _shear(
            drawn,
            scale=height / inner,
            aspect=self._aspect * rng.uniform(0.9, 1.12),
            slant=self._slant + rng.normal(0, 0.05),
            turn=rng.normal(0, 0.04),
        )

    def mark(self, mark: str, height: float) -> tuple[Glyph, float] | None:
        """Write a mark or another sign beside digits ``height`` pixels high.

        Returns
        -------
        glyph
            Its ink.
        drop
            How far its upper edge lies below the digits' upper edge, in pixels.
        """
        rng = self._rng
        side = 3.0 * height
        pen = max(1.0, self.pen * height * rng.uniform(0.9, 1.3))
        strokes, dot = _mark_strokes(mark, rng)
        factor = 4 if height < 40 else 2
        canvas = np.zeros((int(side * factor), int(side * factor)), np.uint8)
        for stroke in strokes:
            points = (np.array(stroke) + 1.0) * height * factor  # the digit's box is at (1, 1)
            points = points + rng.normal(0, 0.02 * height * factor, points.shape)
            thickness = max(1, round(pen * factor * (rng.uniform(1.0, 1.5) if dot else 1)))
            cv2.polylines(
                canvas, [np.rint(points * 16).astype(np.int32)], False, 255, thickness,
                cv2.LINE_AA, 4,
            )  # fmt: skip
        small = cv2.resize(canvas, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        x, y, w, h = cv2.boundingRect((small > _INK // 2).astype(np.uint8))
        if not w:
            return None
        glyph = _glyph(small[y : y + h, x : x + w])
        return None if glyph is None else (glyph, y - height)

    def _enlarged(self, digit: int, pen: float) -> tuple[Ink, float]:
        """Enlarge one of MNIST's digits and bring its strokes to the pen's width."""
        rng = self._rng
        pool = self._own[digit]
        picture = self._digits.images[pool[rng.integers(len(pool))]]
        if self._varied:
            label = np.array([digit], np.uint8)
            picture = vary_forms(picture[np.newaxis], label, rng)[0]
        x, y, width, height = cv2.boundingRect((picture > _INK).astype(np.uint8))
        picture = cv2.copyMakeBorder(
            picture[y : y + height, x : x + width], 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0
        )
        large = cv2.resize(picture, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
        mask = (cv2.GaussianBlur(large, (0, 0), 1.2) > _STROKE).astype(np.uint8)
        return _with_pen(mask, pen * height * _SCALE) * np.uint8(255), float(height * _SCALE)


def _with_pen(mask: Ink, pen: float) -> Ink:
    """Thicken or thin strokes (0 or 1) to about ``pen`` pixels, keeping their middle lines."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    inside = distance[mask > 0]
    if not len(inside):
        return mask
    change = (pen - 2 * float(np.percentile(inside, 85))) / 2
    if change > 0.7:
        size = 2 * round(min(change, 7)) + 1
        return np.asarray(
            cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
        )
    if change > -0.7:
        return mask
    ridge = (distance >= 0.93 * cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (distance > 1)
    thin = ((distance > -change) | ridge).astype(np.uint8)
    closed = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(closed if closed.sum() > 10 else mask)


def _shear(drawn: Ink, *, scale: float, aspect: float, slant: float, turn: float) -> Glyph | None:
    """Scale, slant and turn a drawing, and crop it to its ink."""
    height, width = drawn.shape
    sx = scale * aspect
    room = abs(slant) * height * scale + abs(turn) * width * sx
    out_w, out_h = int(np.ceil(width * sx + room)) + 4, int(np.ceil(height * scale + room)) + 4
    matrix = np.array([[sx, -slant * scale], [turn * sx, scale]])
    shift = np.array([out_w, out_h]) / 2 - matrix @ np.array([width, height]) / 2
    if scale < 0.6:
        drawn = cv2.GaussianBlur(drawn, (0, 0), 0.33 / scale)
    out = cv2.warpAffine(
        drawn, np.c_[matrix, shift].astype(np.float32), (out_w, out_h), flags=cv2.INTER_LINEAR
    )
    x, y, w, h = cv2.boundingRect((out > _INK // 2).astype(np.uint8))
    return _glyph(np.asarray(out[y : y + h, x : x + w])) if w else None


def _glyph(ink: Ink) -> Glyph | None:
    peak = int(ink.max())
    if peak < _INK:
        return None
    rows, columns = np.nonzero(ink > min(_INK, peak // 2))
    points = np.stack([columns, rows], axis=1).astype(np.float32)  # (n, 2)
    hull = cv2.convexHull(points).reshape(-1, 2) + 0.5
    return Glyph(ink, hull)


def _mark_strokes(
    mark: str, rng: np.random.Generator
) -> tuple[list[list[tuple[float, float]]], bool]:
    """Return strokes in units of the digit's height, y down from its upper edge."""
    u = rng.uniform
    base = u(0.92, 1.08)
    if mark == ".":
        return [[(0.0, base), (u(0.005, 0.04), base + u(-0.02, 0.02))]], True
    if mark == ",":
        return [[(0.08, base - 0.02), (u(-0.08, 0.04), base + u(0.1, 0.28))]], False
    if mark == "-":
        y = u(0.42, 0.65)
        return [[(0.0, y), (u(0.18, 0.6), y + u(-0.06, 0.06))]], False
    if mark == "/":
        # Longer than a 1 and leaning more: otherwise nobody could tell them apart.
        top, lean = u(-0.35, 0.0), u(0.25, 0.95)
        return [[(lean, top), (0.0, base + u(0.02, 0.3))]], False
    if mark == ":":
        top = u(0.25, 0.5)
        return [
            [(0.0, top), (0.01, top + 0.01)],
            [(u(-0.04, 0.04), base - 0.1), (0.01, base - 0.09)],
        ], True
    middle, half = u(0.45, 0.65), u(0.15, 0.45 if mark in "+×" else 0.3)
    if mark == "+":
        return [
            [(0.0, middle), (2 * half, middle)],
            [(half, middle - half), (half, middle + half)],
        ], False
    if mark == "×":
        return [
            [(0.0, middle - half), (2 * half, middle + half)],
            [(0.0, middle + half), (2 * half, middle - half)],
        ], False
    if mark == "÷":
        return [
            [(0.0, middle), (2 * half, middle)],
            [(half, middle - half), (half + 0.01, middle - half)],
            [(half, middle + half), (half + 0.01, middle + half)],
        ], False
    if mark == "=":
        gap = u(0.08, 0.15)
        return [
            [(0.0, middle - gap), (2 * half, middle - gap)],
            [(0.0, middle + gap), (2 * half, middle + gap)],
        ], False
    if mark in "()":
        angles = np.linspace(-1.1, 1.1, 7)
        bulge, half = (-1 if mark == "(" else 1) * u(0.2, 0.5), u(0.65, 0.9)
        curve = [(float(0.2 + bulge * np.cos(a)), float(0.5 + half * np.sin(a))) for a in angles]
        return [curve], False
    if mark == "%":
        ring = [(0.09 * np.cos(a), 0.12 * np.sin(a)) for a in np.linspace(0, 6.5, 9)]
        return [
            [(0.1 + x, 0.2 + y) for x, y in ring],
            [(0.5, 0.0), (0.05, 1.0)],
            [(0.5 + x, 0.8 + y) for x, y in ring],
        ], False
    # "✓" and "~": a tick and a wave
    if mark == "✓":
        return [[(0.0, 0.6), (0.2, 1.0), (u(0.5, 0.9), u(-0.1, 0.2))]], False
    xs = np.linspace(0, u(0.4, 1.2), 10)
    return [[(float(x), float(0.5 + 0.12 * np.sin(8 * x))) for x in xs]], False
