"""Defocus, motion blur, frosted glass and low resolution."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE

Picture = NDArray[np.float32]

_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)


def defocus(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur (28, 28) evenly, partly restoring the ink's brightness as contrast stretching would."""
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.8))
    return np.asarray(blurred * np.float32(rng.uniform(1, 1.5)))


def move(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur (28, 28) along a line of 3 to 11 pixels in any direction."""
    half = rng.uniform(1, 4.5)
    angle = rng.uniform(0, np.pi)
    steps = np.linspace(-half, half, 2 * int(np.ceil(half)) + 1)
    kernel = np.zeros((13, 13), np.float32)
    np.add.at(
        kernel,
        (
            np.rint(6 + steps * np.sin(angle)).astype(int),
            np.rint(6 + steps * np.cos(angle)).astype(int),
        ),
        np.float32(1 / len(steps)),
    )
    return np.asarray(cv2.filter2D(picture, -1, kernel) * np.float32(rng.uniform(1, 1.6)))


def frost(picture: Picture, rng: np.random.Generator) -> Picture:
    """Take each pixel of (28, 28) from nearby, as through frosted glass."""
    reach = rng.uniform(0.7, 2.4)
    offsets = rng.uniform(-reach, reach, (2, SIDE, SIDE)).astype(np.float32)
    scattered = cv2.remap(picture, _COLUMNS + offsets[0], _ROWS + offsets[1], cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(scattered, (0, 0), rng.uniform(0.3, 1)))


def coarsen(picture: Picture, rng: np.random.Generator) -> Picture:
    """Downscale (28, 28) to 10 to 20 pixels, perhaps in black and white, and upscale it."""
    side = int(rng.integers(10, 21))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        small = (small > rng.uniform(0.25, 0.5)).astype(np.float32)
    how = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=how))
