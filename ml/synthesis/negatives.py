"""Negatives: 28x28 glyphs that are not digits, to train the "no digit" output.

Nearly half are drawings (`ml.synthesis.doodles`). The others are made of digits. A reader that
segments ink into digits classifies many wrong cuts: two digits in one, a digit with much of its
neighbour, and parts of one. Mirrored or rotated digits look like handwritten letters: an E is a
mirrored 3, a P a mirrored 9, an L a 7 upside down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.model.normalisation import crop, normalise
from ml.synthesis.doodles import DOODLES

NO_DIGIT = DIGITS  # label and output index

Ink = NDArray[np.uint8]  # (h, w), bright on 0
Side = Literal["left", "right", "top", "bottom"]

_BLANK_SHARE = 0.01
_DOODLE_SHARE = 0.45
_JOINED_SHARE = 0.26
_TURNED_SHARE = 0.16
# Digits whose half resembles no digit: the right half of an 8 is a 3, the top of a 9 is a 0.
_HALVES: dict[Side, str] = {"left": "034568", "right": "06", "top": "04", "bottom": "035"}
# Digits that are none once rotated by this many quarter turns, or mirrored: a mirrored 2 may be a
# 5, a 6 upside down is a 9, and 0, 1 and 8 stay what they are.
_ROTATED: dict[int, str] = {1: "23457", 2: "347", 3: "23457"}
_MIRRORED = "34679"
_HALF = (0.35, 0.5)  # of the side that is cut
_OVERLAP = (-0.1, 0.15)  # of the narrower digit's width; negative for a gap
_ONE_SHARE = 0.15  # of pairs start with a 1, which merges with others most easily
_NEIGHBOUR_PART = (0.35, 0.8)  # of the neighbour's width: too much to be clutter


def draw_negatives(
    count: int, images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw negatives, normalised as by the reader.

    Parameters
    ----------
    count
        Number of negatives, N.
    images
        uint8 (M, 28, 28), ink bright on 0: digits to join and cut.
    labels
        uint8 (M,), 0 to 9.
    rng
        Source of randomness; the same state gives the same negatives.

    Returns
    -------
    ndarray
        uint8 (N, 28, 28), ink bright on 0.
    """

    def pick(allowed: str = "0123456789") -> Ink:
        while True:  # rejection sampling: every class is about a tenth of the digits
            i = rng.integers(len(labels))
            if str(labels[i]) in allowed:
                return crop(images[i])

    negatives = np.zeros((count, *images.shape[1:]), np.uint8)
    for negative, kind in zip(negatives, rng.random(count), strict=True):
        if kind < _BLANK_SHARE:
            continue
        if kind < _BLANK_SHARE + _DOODLE_SHARE:
            shares, doodles = zip(*DOODLES, strict=True)
            ink = doodles[rng.choice(len(doodles), p=shares)](rng)
        elif kind < _BLANK_SHARE + _DOODLE_SHARE + _JOINED_SHARE:
            ink = _join(pick, rng)
        elif kind < _BLANK_SHARE + _DOODLE_SHARE + _JOINED_SHARE + _TURNED_SHARE:
            ink = _rotate_or_mirror(pick, rng)
        else:
            ink = _halve(pick, rng)
        negative[:] = normalise(crop(ink))
    return negatives


def _join(pick: Callable[..., Ink], rng: np.random.Generator) -> Ink:
    """Join two or three digits, or a digit and a large part of a neighbour."""
    joined = pick("1" if rng.random() < _ONE_SHARE else "0123456789")
    kind = rng.random()
    if kind < 0.1:  # stacked
        return _beside(joined.T, pick().T, rng).T
    if kind < 0.35:
        neighbour = pick()
        width = round(neighbour.shape[1] * rng.uniform(*_NEIGHBOUR_PART))
        if neighbour.shape[1] > neighbour.shape[0] / 2:  # part of a 1 looks like clutter
            if rng.random() < 0.5:
                return _beside(joined, neighbour[:, :width], rng)
            return _beside(neighbour[:, -width:], joined, rng)
    joined = _beside(joined, pick(), rng)
    return _beside(joined, pick(), rng) if kind > 0.92 else joined


def _beside(left: Ink, right: Ink, rng: np.random.Generator) -> Ink:
    """Place ink side by side, touching or nearly so, at similar heights."""
    overlap = round(rng.uniform(*_OVERLAP) * min(left.shape[1], right.shape[1]))
    height = max(len(left), len(right))
    places = [int(rng.integers(height - len(ink) + 1)) for ink in (left, right)]
    both = np.zeros((height, left.shape[1] + right.shape[1] - overlap), np.uint8)
    both[places[0] : places[0] + len(left), : left.shape[1]] = left
    of_right = both[places[1] : places[1] + len(right), left.shape[1] - overlap :]
    np.maximum(of_right, right, out=of_right)
    return both


def _rotate_or_mirror(pick: Callable[[str], Ink], rng: np.random.Generator) -> Ink:
    """Mirror a digit, or rotate it by one to three quarter turns."""
    if rng.random() < 0.4:
        return pick(_MIRRORED)[:, ::-1]
    quarters = int(rng.choice(list(_ROTATED)))
    return np.rot90(pick(_ROTATED[quarters]), quarters)


def _halve(pick: Callable[[str], Ink], rng: np.random.Generator) -> Ink:
    """Keep about half of a digit."""
    side: Side = rng.choice(list(_HALVES))
    ink = pick(_HALVES[side])
    height, width = (max(2, round(size * rng.uniform(*_HALF))) for size in ink.shape)
    halves = {
        "left": ink[:, :width],
        "right": ink[:, -width:],
        "top": ink[:height],
        "bottom": ink[-height:],
    }
    return halves[side]
