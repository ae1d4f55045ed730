"""Sensor noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def grain(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add Gaussian noise to (28, 28)."""
    deviation = np.float32(rng.uniform(0.05, 0.35))
    return picture + deviation * rng.standard_normal(picture.shape, np.float32)


def few_photons(picture: Picture, rng: np.random.Generator) -> Picture:
    """Add Poisson noise to (28, 28), strongest where it is bright."""
    photons = rng.uniform(2, 30)
    dark = rng.uniform(0, 0.25)
    counts = rng.poisson(np.clip(picture + dark, 0, None) * photons)
    return np.asarray(counts / photons, np.float32)


def salt_and_pepper(picture: Picture, rng: np.random.Generator) -> Picture:
    """Set a share of the pixels of (28, 28) to ink or background."""
    failed = rng.random(picture.shape, np.float32) < rng.uniform(0.02, 0.35)
    return np.where(failed, (rng.random(picture.shape) < 0.5).astype(np.float32), picture)
