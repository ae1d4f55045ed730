"""Pictures as other hands, pens, cameras and scanners would have made them.

Every picture is bent a little and its strokes and contrast vary a little. A share of them is
spoiled on top, as unlucky pictures are: noise, blur, a bright ground, clutter, outlines only. The
other share keeps the network good at clean digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.synthesis.augmentation import background, blur, clutter, noise, strokes
from ml.synthesis.augmentation.geometry import distort
from ml.synthesis.augmentation.handwriting import vary_forms

Picture = NDArray[np.float32]  # (28, 28) in [0, 1], ink 1
Spoiler = Callable[[Picture, np.random.Generator], Picture]

_SPOILERS: Mapping[str, Sequence[Spoiler]] = {
    "strokes": (strokes.thicken, strokes.thin, strokes.fade, strokes.outline),
    "blur": (blur.defocus, blur.move, blur.frost, blur.coarsen),
    "noise": (noise.grain, noise.few_photons, noise.salt_and_pepper),
    "ground": (background.brighten, background.shade, background.fog, background.stripes),
    "clutter": (clutter.spatter, clutter.cross_out, clutter.border),
}
GROUPS = ("hands", "geometry", *_SPOILERS)
DEGRADED_SHARE = 0.45
_TWICE_DEGRADED_SHARE = 0.15  # of those


def augment(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
    groups: Sequence[str] = GROUPS,
    *,
    degraded_share: float = DEGRADED_SHARE,
) -> NDArray[np.float32]:
    """Change every picture at random, so that it still shows the same digit, or still none.

    Parameters
    ----------
    images
        uint8 (N, 28, 28), ink bright on 0.
    labels
        uint8 (N,): which digit each shows.
    rng
        Where the chance comes from: the same state gives the same pictures.
    groups
        What may be changed: some of `GROUPS`.
    degraded_share
        How many of the pictures are spoiled, 0 to 1; as many fewer are bent far.

    Returns
    -------
    ndarray
        float32 (N, 28, 28, 1) in [0, 1], ink 1.
    """
    # The pictures are far too small to share one out among threads.
    cv2.setNumThreads(1)
    if "hands" in groups:
        images = vary_forms(images, labels, rng)
    x = images.astype(np.float32) / np.float32(255)
    if "geometry" in groups:
        x = distort(x, rng, unusual=degraded_share / DEGRADED_SHARE)
    if "strokes" in groups:
        x = strokes.vary(x, rng)
    if "ground" in groups:
        x = background.vary(x, rng)
    if spoilers := [_SPOILERS[group] for group in groups if group in _SPOILERS]:
        for i in np.flatnonzero(rng.random(len(x)) < degraded_share):
            x[i] = _spoil(x[i], rng, spoilers)
    return np.clip(x, 0, 1, out=x)[..., np.newaxis]


def _spoil(
    picture: Picture, rng: np.random.Generator, groups: Sequence[Sequence[Spoiler]]
) -> Picture:
    """Spoil a picture (28, 28) in one or two ways of any group."""
    for _ in range(2 if rng.random() < _TWICE_DEGRADED_SHARE else 1):
        spoilers = groups[int(rng.integers(len(groups)))]
        spoil = spoilers[int(rng.integers(len(spoilers)))]
        picture = np.clip(spoil(picture, rng), 0, 1)
    return picture
