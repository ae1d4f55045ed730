"""Digits as pen strokes, in forms that MNIST's writers rarely or never use.

Square 9s and 9s with a curled tail, 2s with a loop, open and closed 4s, barred 7s, 1s with a flag
and a foot, 5s whose bar is a stroke of its own, slashed 0s: as people write them on paper, on
forms and on boards in other countries.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[float, float]]
Stroke = tuple[bool, Points]  # whether it is smooth, and its points: x to the right, y down, 0 to 1

_SMOOTHNESS = 6  # points between two control points
_JITTER = 0.045  # standard deviation of a control point, of the height
_SHIFT = 4  # fractional bits of coordinates given to OpenCV

# Weight and strokes of each form of each digit.
FORMS: dict[int, Sequence[tuple[float, Sequence[Stroke]]]] = {
    0: (
        (4, [(True, [(0.5, 0), (0.15, 0.15), (0, 0.5), (0.12, 0.88), (0.4, 1), (0.7, 0.85),
                     (0.78, 0.5), (0.68, 0.12), (0.4, 0.01)])]),
        (1, [(True, [(0.3, 0.06), (0.06, 0.3), (0.04, 0.7), (0.3, 1), (0.6, 0.75), (0.62, 0.3),
                     (0.35, 0), (0.2, 0.1)])]),
        (0.4, [(True, [(0.5, 0), (0.15, 0.15), (0, 0.5), (0.12, 0.88), (0.4, 1), (0.7, 0.85),
                       (0.78, 0.5), (0.68, 0.12), (0.4, 0.01)]),
               (False, [(0.12, 0.85), (0.66, 0.15)])]),
    ),
    1: (
        (3, [(False, [(0.1, 0), (0.08, 1)])]),
        (3, [(False, [(0, 0.28), (0.28, 0), (0.26, 1)])]),
        (1.5, [(False, [(0, 0.5), (0.4, 0), (0.36, 1)])]),
        (1.2, [(False, [(0.1, 0.25), (0.35, 0), (0.35, 1)]), (False, [(0.05, 1), (0.68, 0.98)])]),
    ),
    2: (
        (2, [(True, [(0.04, 0.24), (0.22, 0.02), (0.58, 0.05), (0.66, 0.32), (0.42, 0.68),
                     (0.02, 0.98)]), (False, [(0.02, 0.98), (0.76, 0.95)])]),
        (1.5, [(True, [(0.04, 0.22), (0.3, 0), (0.62, 0.14), (0.58, 0.45), (0.25, 0.85),
                       (0.02, 0.92), (0.06, 0.76), (0.28, 0.84), (0.5, 0.98), (0.8, 0.9)])]),
        (1, [(True, [(0.02, 0.15), (0.3, 0), (0.6, 0.15), (0.5, 0.5), (0.05, 0.96)]),
             (True, [(0.05, 0.96), (0.3, 0.86), (0.55, 0.97), (0.82, 0.93)])]),
        (0.5, [(False, [(0.03, 0.05), (0.6, 0.02), (0.62, 0.4), (0.03, 0.97), (0.7, 0.97)])]),
    ),
    3: (
        (3, [(True, [(0.06, 0.13), (0.32, 0), (0.62, 0.12), (0.56, 0.38), (0.24, 0.47)]),
             (True, [(0.24, 0.47), (0.62, 0.56), (0.7, 0.8), (0.4, 1), (0.03, 0.9)])]),
        (1.5, [(False, [(0.05, 0.02), (0.68, 0), (0.3, 0.4)]),
               (True, [(0.3, 0.4), (0.66, 0.5), (0.7, 0.82), (0.36, 1), (0.02, 0.9)])]),
        (0.6, [(False, [(0.05, 0.02), (0.6, 0.03), (0.2, 0.46), (0.62, 0.5), (0.6, 0.95),
                        (0.03, 0.97)])]),
    ),
    4: (
        (2, [(False, [(0.2, 0), (0.04, 0.6), (0.8, 0.58)]), (False, [(0.6, 0.2), (0.55, 1)])]),
        (2, [(False, [(0.5, 1), (0.54, 0), (0, 0.66), (0.8, 0.66)])]),
        (1, [(False, [(0.08, 0.02), (0.06, 0.52), (0.62, 0.5)]), (False, [(0.64, 0), (0.6, 1)])]),
        (0.8, [(True, [(0.15, 0), (0.04, 0.3), (0.1, 0.52), (0.4, 0.5), (0.62, 0.42)]),
               (False, [(0.66, 0.05), (0.58, 1)])]),
    ),
    5: (
        (2.5, [(False, [(0.68, 0.01), (0.18, 0.02), (0.12, 0.42)]),
               (True, [(0.12, 0.42), (0.48, 0.36), (0.7, 0.62), (0.56, 0.93), (0.26, 1),
                       (0.01, 0.9)])]),
        (1.5, [(False, [(0.16, 0.08), (0.12, 0.45)]),
               (True, [(0.12, 0.45), (0.5, 0.4), (0.68, 0.68), (0.5, 0.96), (0.2, 1),
                       (0.01, 0.88)]),
               (False, [(0.2, 0.04), (0.72, 0)])]),
        (0.6, [(False, [(0.62, 0.02), (0.06, 0.02), (0.05, 0.45), (0.6, 0.46), (0.6, 0.97),
                        (0.02, 0.97)])]),
        (0.8, [(True, [(0.7, 0.02), (0.25, 0.05), (0.15, 0.3), (0.5, 0.55), (0.55, 0.8),
                       (0.3, 1), (0.02, 0.92)])]),
    ),
    6: (
        (2.5, [(True, [(0.58, 0.01), (0.22, 0.25), (0.03, 0.65), (0.18, 0.96), (0.48, 0.97),
                       (0.64, 0.75), (0.48, 0.55), (0.2, 0.6), (0.05, 0.78)])]),
        (1, [(True, [(0.35, 0), (0.1, 0.4), (0.04, 0.75), (0.25, 1), (0.52, 0.85), (0.42, 0.6),
                     (0.08, 0.68)])]),
    ),
    7: (
        (2, [(False, [(0, 0.04), (0.68, 0), (0.24, 1)])]),
        (2, [(False, [(0, 0.06), (0.68, 0.02), (0.28, 1)]),
             (False, [(0.16, 0.5), (0.72, 0.46)])]),
        (1, [(False, [(0.02, 0.18), (0.04, 0.03), (0.7, 0), (0.3, 1)])]),
        (0.8, [(True, [(0, 0.1), (0.25, 0.02), (0.45, 0.1), (0.7, 0)]),
               (True, [(0.7, 0), (0.42, 0.45), (0.32, 1)])]),
    ),
    8: (
        (2.5, [(True, [(0.56, 0.14), (0.3, 0), (0.08, 0.2), (0.32, 0.46), (0.62, 0.72), (0.36, 1),
                       (0.04, 0.78), (0.28, 0.5), (0.56, 0.28), (0.5, 0.08)])]),
        (1.2, [(True, [(0.33, 0.46), (0.1, 0.24), (0.32, 0), (0.56, 0.22), (0.33, 0.46)]),
               (True, [(0.33, 0.46), (0.02, 0.74), (0.33, 1), (0.64, 0.74), (0.33, 0.46)])]),
    ),
    9: (
        (2, [(True, [(0.6, 0.18), (0.36, 0), (0.06, 0.16), (0.1, 0.42), (0.38, 0.48),
                     (0.6, 0.2)]), (False, [(0.62, 0.06), (0.57, 1)])]),
        (2, [(True, [(0.6, 0.18), (0.34, 0), (0.06, 0.18), (0.12, 0.44), (0.4, 0.46),
                     (0.6, 0.16), (0.6, 0.6), (0.5, 0.95), (0.22, 1), (0.04, 0.86)])]),
        (1.2, [(True, [(0.62, 0.1), (0.3, 0.02), (0.06, 0.24), (0.22, 0.46), (0.52, 0.36),
                       (0.62, 0.08)]),
               (True, [(0.62, 0.08), (0.58, 0.5), (0.42, 0.98)])]),
        (0.7, [(False, [(0.6, 0.02), (0.06, 0.02), (0.06, 0.46), (0.6, 0.47)]),
               (False, [(0.6, 0.02), (0.6, 1)])]),
        (0.8, [(True, [(0.5, 0.08), (0.2, 0.06), (0.08, 0.3), (0.35, 0.44), (0.58, 0.2)]),
               (True, [(0.6, 0.02), (0.56, 0.6), (0.36, 0.98), (0.02, 0.92)])]),
    ),
}  # fmt: skip


def choose_form(digit: int, rng: np.random.Generator) -> int:
    """Return the index of a form of ``digit`` in `FORMS`, by weight."""
    weights = np.array([weight for weight, _ in FORMS[digit]])
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def draw_form(
    digit: int,
    form: int,
    rng: np.random.Generator,
    *,
    height: int,
    pen: float,
) -> NDArray[np.uint8]:
    """Draw a digit with an unsteady hand.

    Parameters
    ----------
    digit, form
        Which of `FORMS`.
    rng
        Source of randomness.
    height
        Of the strokes' middle line, in pixels.
    pen
        Diameter of the pen in pixels, at least 1.

    Returns
    -------
    uint8, shape (h, w)
        Ink bright on 0, with a margin.
    """
    _, strokes = FORMS[digit][form]
    margin = int(np.ceil(pen)) + max(2, round(0.2 * height))
    aspect = rng.uniform(0.75, 1.25)
    lines = []
    bend = rng.normal(0, 0.05, (2, 2))
    for smooth, points in strokes:
        line = np.array(points)  # (n, 2)
        line = line + rng.normal(0, _JITTER, line.shape) + np.sin(2 * line[:, ::-1]) @ bend
        lines.append(_smooth(line) if smooth else line)
    reach = np.concatenate(lines)
    low, high = reach.min(axis=0), reach.max(axis=0)
    scale = height / max(0.3, high[1] - low[1])
    width = int(np.ceil((high[0] - low[0]) * scale * aspect)) + 2 * margin
    drawn = np.zeros((height + 2 * margin, width), np.uint8)
    for line in lines:
        places = (line - low) * scale * (aspect, 1) + margin
        scaled = np.rint(places * 2**_SHIFT).astype(np.int32)
        cv2.polylines(drawn, [scaled], False, 255, max(1, round(pen)), cv2.LINE_AA, _SHIFT)
    return drawn


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate between control points (n, 2).

    E. Catmull, R. Rom, "A Class of Local Interpolating Splines", 1974,
    https://doi.org/10.1016/B978-0-12-079050-0.50020-5
    """
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, _SMOOTHNESS, endpoint=False)[:, np.newaxis]
    a, b, c, d = (padded[i : len(padded) - 3 + i, np.newaxis] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])
