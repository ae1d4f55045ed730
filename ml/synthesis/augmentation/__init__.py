"""Augmentation: glyphs as other hands, pens, cameras and scanners would produce them.

Geometry, strokes and contrast vary slightly in every glyph. A share of them is also degraded by
noise, blur, a bright background, clutter or reduction to outlines; the rest keeps the network
accurate on clean digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.synthesis.augmentation import background, blur, clutter, noise, strokes
from ml.synthesis.augmentation.geometry import distort
from ml.synthesis.augmentation.handwriting import draw_forms, vary_forms

Picture = NDArray[np.float32]  # (28, 28) in [0, 1], ink 1
Degradation = Callable[[Picture, np.random.Generator], Picture]

_DEGRADATIONS: Mapping[str, Sequence[Degradation]] = {
    "strokes": (strokes.thicken, strokes.thin, strokes.fade, strokes.outline),
    "blur": (blur.defocus, blur.move, blur.frost, blur.coarsen),
    "noise": (noise.grain, noise.few_photons, noise.salt_and_pepper),
    "ground": (background.brighten, background.shade, background.fog, background.stripes),
    "clutter": (clutter.spatter, clutter.cross_out, clutter.border),
}
GROUPS = ("hands", "forms", "geometry", *_DEGRADATIONS)
DEGRADED_SHARE = 0.45
_TWICE_DEGRADED_SHARE = 0.15  # of the degraded


def augment(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
    groups: Sequence[str] = GROUPS,
    *,
    degraded_share: float = DEGRADED_SHARE,
) -> NDArray[np.float32]:
    """Vary glyphs at random, preserving their labels.

    Parameters
    ----------
    images
        uint8 (N, 28, 28), ink bright on 0.
    labels
        uint8 (N,), 0 to 9, or 10 for "no digit".
    rng
        Source of randomness; the same state gives the same result.
    groups
        Augmentations to apply, from `GROUPS`.
    degraded_share
        Share of glyphs to degrade, 0 to 1; also scales the share of extreme distortions.

    Returns
    -------
    ndarray
        float32 (N, 28, 28, 1) in [0, 1], ink 1.
    """
    # Glyphs are too small to parallelise over.
    cv2.setNumThreads(1)
    if "hands" in groups:
        images = vary_forms(images, labels, rng)
    if "forms" in groups:
        images = draw_forms(images, labels, rng)
    x = images.astype(np.float32) / np.float32(255)
    if "geometry" in groups:
        x = distort(x, rng, unusual=degraded_share / DEGRADED_SHARE)
    if "strokes" in groups:
        x = strokes.vary(x, rng)
    if "ground" in groups:
        x = background.vary(x, rng)
    if degradations := [_DEGRADATIONS[group] for group in groups if group in _DEGRADATIONS]:
        for i in np.flatnonzero(rng.random(len(x)) < degraded_share):
            x[i] = _degrade(x[i], rng, degradations)
    return np.clip(x, 0, 1, out=x)[..., np.newaxis]


def _degrade(
    picture: Picture, rng: np.random.Generator, groups: Sequence[Sequence[Degradation]]
) -> Picture:
    """Apply one or two degradations of any group to (28, 28)."""
    for _ in range(2 if rng.random() < _TWICE_DEGRADED_SHARE else 1):
        group = groups[int(rng.integers(len(groups)))]
        degrade = group[int(rng.integers(len(group)))]
        picture = np.clip(degrade(picture, rng), 0, 1)
    return picture
