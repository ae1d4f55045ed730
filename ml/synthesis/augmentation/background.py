"""Lighting, paper and contrast, even or uneven."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE
from ml.synthesis.augmentation.fields import smooth_field

Picture = NDArray[np.float32]

_MAX_LOG2_STEEPNESS = 1.5
_MIN_INK = 0.6
_ALONG = np.linspace(-0.5, 0.5, SIDE, dtype=np.float32)


def vary(x: Picture, rng: np.random.Generator) -> Picture:
    """Vary contrast (up to nearly black and white) and lighten the ink of (N, 28, 28)."""
    shape = (len(x), 1, 1)
    steepness = np.exp2(rng.uniform(0, _MAX_LOG2_STEEPNESS, shape)).astype(np.float32)
    x = np.clip((x - np.float32(0.5)) * steepness + np.float32(0.5), 0, 1)
    return x * rng.uniform(_MIN_INK, 1, shape).astype(np.float32)


def brighten(picture: Picture, rng: np.random.Generator) -> Picture:
    """Put (28, 28) on a brighter background, with low to high contrast."""
    background = rng.uniform(0.1, 0.75)
    ink = rng.uniform(max(0.2, 0.6 - background), 1.1 - background)
    return np.float32(background) + np.float32(ink) * picture


def shade(picture: Picture, rng: np.random.Generator) -> Picture:
    """Brighten the background of (28, 28) towards one side."""
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * _ALONG[:, np.newaxis] + np.sin(angle) * _ALONG[np.newaxis]
    background = np.clip(rng.uniform(-0.1, 0.4) + rng.uniform(0.2, 1) * ramp, 0, 0.8)
    return np.asarray(background + picture * rng.uniform(0.3, 1), np.float32)


def fog(picture: Picture, rng: np.random.Generator) -> Picture:
    """Overlay (28, 28) with bright, uneven fog."""
    veil = smooth_field(rng, cells=2) + smooth_field(rng, cells=4) + smooth_field(rng, cells=9) / 2
    density = np.float32(rng.uniform(0.2, 0.8))
    ink = np.float32(rng.uniform(0.3, 0.9))
    return np.asarray(picture * ink + density * veil / np.float32(2.5), np.float32)


def stripes(picture: Picture, rng: np.random.Generator) -> Picture:
    """Invert or brighten one or two vertical or horizontal bands of (28, 28)."""
    striped = picture.copy()
    bands = striped.T if rng.random() < 0.5 else striped
    reverse = rng.random() < 0.6
    for _ in range(rng.integers(1, 3)):
        start, width = rng.integers(-4, SIDE - 2), rng.integers(2, 8)
        band = bands[max(0, start) : start + width]
        band[:] = 1 - band if reverse else band + rng.uniform(0.2, 0.7) * (1 - band)
    return striped
