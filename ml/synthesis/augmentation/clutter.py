"""Clutter: spatter, lines, frames and strokes of neighbours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE
from ml.synthesis.augmentation.fields import smooth_field

Picture = NDArray[np.float32]

_SHIFT = 4  # fractional bits of coordinates given to OpenCV
_MARGIN_PX = 6


def spatter(picture: Picture, rng: np.random.Generator) -> Picture:
    """Spatter (28, 28) with drops that add or remove ink."""
    field = smooth_field(rng, cells=int(rng.integers(8, 20)))
    drops = np.clip((field - np.float32(rng.uniform(0.55, 0.85))) * 8, 0, 1)
    if rng.random() < 0.7:
        return np.asarray(np.maximum(picture, drops * np.float32(rng.uniform(0.4, 1))))
    return np.asarray(picture * (1 - drops))


def cross_out(picture: Picture, rng: np.random.Generator) -> Picture:
    """Draw a line across (28, 28): straight or zigzag, solid or dotted."""
    turns = int(rng.integers(2, 9)) if rng.random() < 0.5 else 2
    along = np.linspace(-2, SIDE + 1, turns)
    start, end = rng.uniform(0, SIDE, 2)
    across = np.linspace(start, end, turns)
    if turns > 2:
        across += rng.uniform(1, 4) * np.where(np.arange(turns) % 2, 1, -1)
    points = np.stack([along, across], axis=1)  # (turns, 2)
    return _draw(picture, points if rng.random() < 0.7 else points[:, ::-1], rng)


def border(picture: Picture, rng: np.random.Generator) -> Picture:
    """Draw one to three parts of a frame, ruling or neighbour's stroke near the edge of (28, 28).

    Within six pixels, where a centred digit rarely reaches.
    """
    for _ in range(rng.integers(1, 4)):
        along = np.sort(rng.uniform(-4, SIDE + 4, 4))
        depth = rng.uniform(-1, _MARGIN_PX - 1)
        bend = 0 if rng.random() < 0.5 else 2.0  # straight frames, bent strokes
        across = np.clip(depth + rng.uniform(-bend, bend, 4), -1, _MARGIN_PX)
        if rng.random() < 0.5:
            across = SIDE - 1 - across
        points = np.stack([along, across], axis=1)  # (4, 2)
        picture = _draw(picture, points if rng.random() < 0.5 else points[:, ::-1], rng)
    return picture


def _draw(picture: Picture, points: NDArray[np.float64], rng: np.random.Generator) -> Picture:
    """Draw a polyline through points (n, 2), x and y, at a random brightness."""
    line = np.zeros((SIDE, SIDE), np.uint8)
    scaled = np.rint(points * 2**_SHIFT).astype(np.int32)
    thickness = int(rng.integers(1, 3))
    cv2.polylines(line, [scaled], False, 255, thickness, cv2.LINE_AA, _SHIFT)
    if rng.random() < 0.3:  # dotted
        rows, columns = np.indices(line.shape)
        line[(rows + columns + rng.integers(4)) % int(rng.integers(3, 6)) < 2] = 0
    return np.asarray(np.maximum(picture, line * np.float32(rng.uniform(0.4, 1) / 255)))
