"""Light, paper and ink of another contrast, even or not."""

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
    """Make edges softer or harder (to nearly black and white) and ink paler, in (N, 28, 28)."""
    shape = (len(x), 1, 1)
    steepness = np.exp2(rng.uniform(0, _MAX_LOG2_STEEPNESS, shape)).astype(np.float32)
    x = np.clip((x - np.float32(0.5)) * steepness + np.float32(0.5), 0, 1)
    return x * rng.uniform(_MIN_INK, 1, shape).astype(np.float32)


def brighten(picture: Picture, rng: np.random.Generator) -> Picture:
    """Put (28, 28) on a ground that is not black, with the ink a little or much brighter."""
    ground = rng.uniform(0.1, 0.75)
    ink = rng.uniform(max(0.2, 0.6 - ground), 1.1 - ground)
    return np.float32(ground) + np.float32(ink) * picture


def shade(picture: Picture, rng: np.random.Generator) -> Picture:
    """Let the ground of (28, 28) grow brighter towards one side."""
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(angle) * _ALONG[:, np.newaxis] + np.sin(angle) * _ALONG[np.newaxis]
    ground = np.clip(rng.uniform(-0.1, 0.4) + rng.uniform(0.2, 1) * ramp, 0, 0.8)
    return np.asarray(ground + picture * rng.uniform(0.3, 1), np.float32)


def fog(picture: Picture, rng: np.random.Generator) -> Picture:
    """Lay a bright uneven veil over (28, 28)."""
    veil = smooth_field(rng, cells=2) + smooth_field(rng, cells=4) + smooth_field(rng, cells=9) / 2
    density = np.float32(rng.uniform(0.2, 0.8))
    ink = np.float32(rng.uniform(0.3, 0.9))
    return np.asarray(picture * ink + density * veil / np.float32(2.5), np.float32)


def stripes(picture: Picture, rng: np.random.Generator) -> Picture:
    """Reverse or brighten one or two upright or level bands of (28, 28)."""
    striped = picture.copy()
    bands = striped.T if rng.random() < 0.5 else striped
    reverse = rng.random() < 0.6
    for _ in range(rng.integers(1, 3)):
        start, width = rng.integers(-4, SIDE - 2), rng.integers(2, 8)
        band = bands[max(0, start) : start + width]
        band[:] = 1 - band if reverse else band + rng.uniform(0.2, 0.7) * (1 - band)
    return striped
