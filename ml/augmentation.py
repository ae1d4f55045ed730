"""Digits as other hands, pens and cameras would have made them.

Rotation, shear, scale and shift, with an elastic distortion on top (Simard et al., "Best Practices
for Convolutional Neural Networks Applied to Visual Document Analysis", ICDAR 2003), all in one
interpolation; then thicker or thinner strokes, blur, contrast and noise.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 28
_DEGREES = 15.0
_SHEAR = 0.25
_LOG_SCALE = 0.18
_SHIFT_PX = 2.0
# The elastic field: normal displacements on a coarse grid, smoothed by cubic interpolation.
_ELASTIC_GRID = 5
_ELASTIC_PX = 0.8
_STROKE_SHARE = 0.5
_MAX_THINNING = 0.6
_BLUR_SHARE = 0.25
_BLUR_PX = (0.3, 0.9)
_MAX_LOG2_STEEPNESS = 1.5
_MIN_INK = 0.6
_NOISE_SHARE = 0.25
_MAX_NOISE = 0.1

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_GRID_Y, _GRID_X = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) - (_SIDE - 1) / 2


def augment(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change every picture a little, at random, so that it still shows the same digit.

    Parameters
    ----------
    images
        uint8 (N, 28, 28), ink bright on 0.
    rng
        Where the chance comes from: the same state gives the same pictures.

    Returns
    -------
    ndarray
        float32 (N, 28, 28, 1) in [0, 1], ink 1.
    """
    # The pictures are far too small to share one out among threads.
    cv2.setNumThreads(1)
    x = images.astype(np.float32) / np.float32(255)
    x = _distort(x, rng)
    x = _change_strokes(x, rng)
    x = _blur(x, rng)
    x = _change_contrast(x, rng)
    return x[..., np.newaxis]


def _distort(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Turn, shear, scale, shift and warp (N, 28, 28)."""
    matrices = _affine(len(x), rng)  # N, 2, 2
    shifts = rng.uniform(-_SHIFT_PX, _SHIFT_PX, (len(x), 2)).astype(np.float32)
    coarse = rng.normal(0, _ELASTIC_PX, (len(x), _ELASTIC_GRID, _ELASTIC_GRID, 2))
    fields = coarse.astype(np.float32)
    distorted = np.empty_like(x)
    for i, picture in enumerate(x):
        field = cv2.resize(fields[i], (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)  # 28, 28, 2
        matrix, centre = matrices[i], shifts[i] + (_SIDE - 1) / 2
        column = matrix[0, 0] * _GRID_X + matrix[0, 1] * _GRID_Y + centre[0] + field[..., 0]
        row = matrix[1, 0] * _GRID_X + matrix[1, 1] * _GRID_Y + centre[1] + field[..., 1]
        distorted[i] = cv2.remap(picture, column, row, cv2.INTER_LINEAR)
    return distorted


def _affine(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw matrices (N, 2, 2) that rotate, shear and scale."""
    angle = np.deg2rad(rng.uniform(-_DEGREES, _DEGREES, count))
    shear = rng.uniform(-_SHEAR, _SHEAR, count)
    scale_x, scale_y = np.exp(rng.uniform(-_LOG_SCALE, _LOG_SCALE, (2, count)))
    cos, sin = np.cos(angle), np.sin(angle)
    rows = [
        [scale_x * cos, scale_y * (shear * cos - sin)],
        [scale_x * sin, scale_y * (shear * sin + cos)],
    ]
    return np.moveaxis(np.array(rows, np.float32), -1, 0)


def _change_strokes(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Make strokes up to a pixel thicker on each side, or thinner, in a share of the pictures."""
    for i in np.flatnonzero(rng.random(len(x)) < _STROKE_SHARE):
        amount = rng.uniform(-_MAX_THINNING, 1)
        changed = cv2.dilate(x[i], _CROSS) if amount > 0 else cv2.erode(x[i], _CROSS)
        x[i] += np.float32(abs(amount)) * (changed - x[i])
    return x


def _blur(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    for i in np.flatnonzero(rng.random(len(x)) < _BLUR_SHARE):
        x[i] = cv2.GaussianBlur(x[i], (0, 0), rng.uniform(*_BLUR_PX))
    return x


def _change_contrast(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Make edges softer or harder (to nearly black and white), ink paler, and add noise."""
    shape = (len(x), 1, 1)
    steepness = np.exp2(rng.uniform(0, _MAX_LOG2_STEEPNESS, shape)).astype(np.float32)
    x = np.clip((x - 0.5) * steepness + 0.5, 0, 1)
    x *= rng.uniform(_MIN_INK, 1, shape).astype(np.float32)
    noisy = np.flatnonzero(rng.random(len(x)) < _NOISE_SHARE)
    deviation = rng.uniform(0, _MAX_NOISE, (len(noisy), 1, 1)).astype(np.float32)
    x[noisy] += deviation * rng.standard_normal((len(noisy), _SIDE, _SIDE), np.float32)
    return np.clip(x, 0, 1)
