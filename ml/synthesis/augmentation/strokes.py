"""Other pens: thin, thick or running dry; and outlines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.synthesis.augmentation.fields import smooth_field

Picture = NDArray[np.float32]

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_VARIED_SHARE = 0.5
_MAX_THINNING = 0.6


def vary(x: Picture, rng: np.random.Generator) -> Picture:
    """Thicken by up to a pixel per side, or thin, the strokes of a share of (N, 28, 28)."""
    for i in np.flatnonzero(rng.random(len(x)) < _VARIED_SHARE):
        amount = rng.uniform(-_MAX_THINNING, 1)
        changed = cv2.dilate(x[i], _CROSS) if amount > 0 else cv2.erode(x[i], _CROSS)
        x[i] += np.float32(abs(amount)) * (changed - x[i])
    return x


def thicken(picture: Picture, rng: np.random.Generator) -> Picture:
    """Thicken the strokes of (28, 28) by two to three pixels, with hard edges."""
    thick = cv2.dilate(picture, _SQUARE)
    return _steepen(thick, rng.uniform(0.3, 0.6), rng.uniform(1, 6))


def thin(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reduce the strokes of (28, 28) to their middle, perhaps faint."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 0.8)
    ridge = picture - np.float32(rng.uniform(0.5, 1)) * (cv2.dilate(blurred, _SQUARE) - blurred)
    return np.asarray(np.clip(2 * ridge, 0, 1) * np.float32(rng.uniform(0.4, 1)))


def fade(picture: Picture, rng: np.random.Generator) -> Picture:
    """Fade the ink of (28, 28) in places."""
    level = rng.uniform(-0.3, 0.15)
    ink = _steepen(smooth_field(rng, cells=int(rng.integers(3, 9))) - np.float32(level), 0.25, 3)
    return picture * ink


def outline(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reduce the strokes of (28, 28) to their outer or inner edges."""
    strokes = _steepen(picture, rng.uniform(0.3, 0.6), 8)
    if rng.random() < 0.5:
        edges = cv2.dilate(strokes, _CROSS) - strokes
    else:
        edges = strokes - cv2.erode(strokes, _CROSS)
    return np.asarray(edges * np.float32(rng.uniform(0.6, 1)))


def _steepen(picture: Picture, middle: float, steepness: float) -> Picture:
    """Increase the contrast around a middle grey."""
    steep = (picture - np.float32(middle)) * np.float32(steepness)
    return np.asarray(np.clip(steep + np.float32(0.5), 0, 1))
