"""Geometric distortion.

Rotation, shear, scale and shift, and an elastic distortion (Simard et al., "Best Practices
for Convolutional Neural Networks Applied to Visual Document Analysis", ICDAR 2003), all in one
interpolation.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE

_CENTRE = np.float32((SIDE - 1) / 2)
_GRID_Y, _GRID_X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) - _CENTRE


class _Range(NamedTuple):
    """Limits of rotation, shear, scale (as a power of e) and shift."""

    degrees: float
    shear: float
    log_scale: float
    shift_px: float


_USUAL = _Range(degrees=15.0, shear=0.25, log_scale=0.18, shift_px=2.0)
# One at a time: a digit distorted this much in every way would be unrecognisable.
_WIDE = _Range(degrees=38.0, shear=0.6, log_scale=0.4, shift_px=5.5)
_WIDE_SHARE = 0.2
# Small digits, as when a reader segments a digit together with clutter.
_SMALL_SHARE = 0.1
_LOG_SMALLER = (0.15, 0.75)
# Scans that were cropped to the digit and stretched to a square.
_STRETCHED_SHARE = 0.08
_BOX_PX = 20
_MAX_LOG_STRETCH = 1.0
# Elastic distortion: normal displacements on a coarse grid, with cubic interpolation.
_ELASTIC_GRID = 5
_ELASTIC_PX = 0.8
_INK = 0.2


def distort(
    x: NDArray[np.float32], rng: np.random.Generator, *, unusual: float = 1.0
) -> NDArray[np.float32]:
    """Rotate, shear, scale, shift and warp glyphs.

    Parameters
    ----------
    x
        float32 (N, 28, 28) in [0, 1].
    rng
        Source of randomness.
    unusual
        Factor on the shares of wide, small and stretched glyphs.

    Returns
    -------
    ndarray
        float32 (N, 28, 28), a copy.
    """
    matrices, shifts = _affine(len(x), rng, unusual)  # N, 2, 2 and N, 2
    for stretched in np.flatnonzero(rng.random(len(x)) < unusual * _STRETCHED_SHARE):
        matrices[stretched] = _stretch(x[stretched]) @ matrices[stretched]
    coarse = rng.normal(0, _ELASTIC_PX, (len(x), _ELASTIC_GRID, _ELASTIC_GRID, 2))
    fields = coarse.astype(np.float32)
    distorted = np.empty_like(x)
    for i, picture in enumerate(x):
        field = cv2.resize(fields[i], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)  # 28, 28, 2
        matrix, centre = matrices[i], shifts[i] + _CENTRE
        column = matrix[0, 0] * _GRID_X + matrix[0, 1] * _GRID_Y + centre[0] + field[..., 0]
        row = matrix[1, 0] * _GRID_X + matrix[1, 1] * _GRID_Y + centre[1] + field[..., 1]
        distorted[i] = cv2.remap(picture, column, row, cv2.INTER_LINEAR)
    return distorted


def _affine(
    count: int, rng: np.random.Generator, unusual: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw matrices (N, 2, 2) that rotate, shear and scale, and shifts (N, 2) in pixels.

    They map target to source coordinates: a scale above 1 shrinks the digit.
    """
    widened = rng.integers(len(_USUAL), size=(count, 1)) == np.arange(len(_USUAL))  # N, 4
    wide = widened & (rng.random((count, 1)) < unusual * _WIDE_SHARE)
    degrees, shear, log_scale, shift_px = np.where(wide, _WIDE, _USUAL).T  # N each
    angle = np.deg2rad(rng.uniform(-degrees, degrees))
    shear = rng.uniform(-shear, shear)
    small = rng.random(count) < unusual * _SMALL_SHARE
    smaller = np.where(small, rng.uniform(*_LOG_SMALLER, count), 0)
    scale_x, scale_y = np.exp(rng.uniform(-log_scale, log_scale, (2, count)) + smaller)
    cos, sin = np.cos(angle), np.sin(angle)
    rows = [
        [scale_x * cos, scale_y * (shear * cos - sin)],
        [scale_x * sin, scale_y * (shear * sin + cos)],
    ]
    matrices = np.moveaxis(np.array(rows, np.float32), -1, 0)
    shifts = rng.uniform(-1, 1, (2, count)) * shift_px
    return matrices, shifts.T.astype(np.float32)


def _stretch(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix (2, 2) that stretches the ink's bounding box to 20x20, within limits."""
    _, _, width, height = cv2.boundingRect((picture > _INK).astype(np.uint8))
    log_stretch = np.log(np.maximum((width, height), 1) / _BOX_PX)
    return np.diag(np.exp(np.clip(log_stretch, -_MAX_LOG_STRETCH, 0))).astype(np.float32)
