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

from ml.synthesis.augmentation import blur, clutter, ground, noise, strokes
from ml.synthesis.augmentation.geometry import distort
from ml.synthesis.augmentation.hands import write_otherwise

Picture = NDArray[np.float32]  # (28, 28) in [0, 1], ink 1
Spoiler = Callable[[Picture, np.random.Generator], Picture]

_SPOILERS: Mapping[str, Sequence[Spoiler]] = {
    "strokes": (strokes.thicken, strokes.thin, strokes.fade, strokes.outline),
    "blur": (blur.defocus, blur.move, blur.frost, blur.coarsen),
    "noise": (noise.grain, noise.few_photons, noise.salt_and_pepper),
    "ground": (ground.brighten, ground.shade, ground.fog, ground.stripes),
    "clutter": (clutter.spatter, clutter.cross_out, clutter.border),
}
GROUPS = ("hands", "geometry", *_SPOILERS)
SPOILED_SHARE = 0.45
_SPOILED_TWICE_SHARE = 0.15  # of those


def augment(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    rng: np.random.Generator,
    groups: Sequence[str] = GROUPS,
    *,
    spoiled_share: float = SPOILED_SHARE,
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
    spoiled_share
        How many of the pictures are spoiled, 0 to 1; as many fewer are bent far.

    Returns
    -------
    ndarray
        float32 (N, 28, 28, 1) in [0, 1], ink 1.
    """
    # The pictures are far too small to share one out among threads.
    cv2.setNumThreads(1)
    if "hands" in groups:
        images = write_otherwise(images, labels, rng)
    x = images.astype(np.float32) / np.float32(255)
    if "geometry" in groups:
        x = distort(x, rng, unusual=spoiled_share / SPOILED_SHARE)
    if "strokes" in groups:
        x = strokes.vary(x, rng)
    if "ground" in groups:
        x = ground.vary(x, rng)
    if spoilers := [_SPOILERS[group] for group in groups if group in _SPOILERS]:
        for i in np.flatnonzero(rng.random(len(x)) < spoiled_share):
            x[i] = _spoil(x[i], rng, spoilers)
    return np.clip(x, 0, 1, out=x)[..., np.newaxis]


def _spoil(
    picture: Picture, rng: np.random.Generator, groups: Sequence[Sequence[Spoiler]]
) -> Picture:
    """Spoil a picture (28, 28) in one or two ways of any group."""
    for _ in range(2 if rng.random() < _SPOILED_TWICE_SHARE else 1):
        spoilers = groups[int(rng.integers(len(groups)))]
        spoil = spoilers[int(rng.integers(len(spoilers)))]
        picture = np.clip(spoil(picture, rng), 0, 1)
    return picture
