"""28x28 pictures of what is no digit, for a network to learn to say so.

Nearly half of them are drawings (`ml.synthesis.doodles`). The others are made of digits. A reader
that looks for the best way to cut ink into digits asks about wrong cuts all the time: two digits in
one, a digit with a good part of the next one, and pieces of one. And digits that are mirrored or
turned look like handwritten letters: an E is a mirrored 3, a P a mirrored 9, an L a 7 upside down.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.digits import DIGITS
from ml.model.normalisation import crop, normalise
from ml.synthesis.doodles import DOODLES

NO_DIGIT = DIGITS  # the label, and the output of the network

Ink = NDArray[np.uint8]  # (h, w), bright on 0
Side = Literal["left", "right", "top", "bottom"]

_BLANK_SHARE = 0.01
_DOODLE_SHARE = 0.45
_JOINED_SHARE = 0.26
_TURNED_SHARE = 0.16
# Which halves are unlike every digit: the right half of an 8 is a 3, the top of a 9 is a 0.
_PIECES: dict[Side, str] = {"left": "034568", "right": "06", "top": "04", "bottom": "035"}
# What is no digit any more when it is turned by so many quarters, or mirrored: a 2 mirrored may be
# a 5, a 6 upside down is a 9, and a 0, a 1 and an 8 stay what they are.
_TURNED: dict[int, str] = {1: "23457", 2: "347", 3: "23457"}
_MIRRORED = "34679"
_PIECE = (0.35, 0.5)  # of the side that is cut
_OVERLAP = (-0.1, 0.15)  # of the narrower digit's width: neighbours touch, overlap or nearly touch
_ONE_SHARE = 0.15  # of pairs begin with a 1: it glues best to others, and looks like part of them
_NEIGHBOUR_PART = (0.35, 0.8)  # of the neighbour's width: enough for none to take it for clutter


def draw_negatives(
    count: int, images: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw pictures of what is no digit, made as the reader makes those of digits.

    Parameters
    ----------
    count
        How many, N.
    images
        uint8 (M, 28, 28), ink bright on 0: digits to join and to cut.
    labels
        uint8 (M,), 0 to 9.
    rng
        Where the chance comes from: the same state gives the same pictures.

    Returns
    -------
    ndarray
        uint8 (N, 28, 28), ink bright on 0.
    """

    def pick(allowed: str = "0123456789") -> Ink:
        while True:  # every class is a tenth or so of the digits
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
            ink = _turn(pick, rng)
        else:
            ink = _cut_off(pick, rng)
        negative[:] = normalise(crop(ink))
    return negatives


def _join(pick: Callable[..., Ink], rng: np.random.Generator) -> Ink:
    """Write two or three digits as one, or one with a good part of a neighbour."""
    joined = pick("1" if rng.random() < _ONE_SHARE else "0123456789")
    kind = rng.random()
    if kind < 0.1:  # one above the other
        return _beside(joined.T, pick().T, rng).T
    if kind < 0.35:
        neighbour = pick()
        width = round(neighbour.shape[1] * rng.uniform(*_NEIGHBOUR_PART))
        if neighbour.shape[1] > neighbour.shape[0] / 2:  # part of a 1 is a line as of clutter
            if rng.random() < 0.5:
                return _beside(joined, neighbour[:, :width], rng)
            return _beside(neighbour[:, -width:], joined, rng)
    joined = _beside(joined, pick(), rng)
    return _beside(joined, pick(), rng) if kind > 0.92 else joined


def _beside(left: Ink, right: Ink, rng: np.random.Generator) -> Ink:
    """Put ink beside ink, about at the same height, touching or nearly so."""
    overlap = round(rng.uniform(*_OVERLAP) * min(left.shape[1], right.shape[1]))
    height = max(len(left), len(right))
    places = [int(rng.integers(height - len(ink) + 1)) for ink in (left, right)]
    both = np.zeros((height, left.shape[1] + right.shape[1] - overlap), np.uint8)
    both[places[0] : places[0] + len(left), : left.shape[1]] = left
    of_right = both[places[1] : places[1] + len(right), left.shape[1] - overlap :]
    np.maximum(of_right, right, out=of_right)
    return both


def _turn(pick: Callable[[str], Ink], rng: np.random.Generator) -> Ink:
    """Mirror a digit, or turn it by a quarter, a half or three."""
    if rng.random() < 0.4:
        return pick(_MIRRORED)[:, ::-1]
    quarters = int(rng.choice(list(_TURNED)))
    return np.rot90(pick(_TURNED[quarters]), quarters)


def _cut_off(pick: Callable[[str], Ink], rng: np.random.Generator) -> Ink:
    """Leave a half of a digit, or about so."""
    side: Side = rng.choice(list(_PIECES))
    ink = pick(_PIECES[side])
    height, width = (max(2, round(size * rng.uniform(*_PIECE))) for size in ink.shape)
    pieces = {
        "left": ink[:, :width],
        "right": ink[:, -width:],
        "top": ink[:height],
        "bottom": ink[-height:],
    }
    return pieces[side]
