"""Synthetic drawings that are not digits: letters, words, signs, shapes, scribbles and blotches.

Each function returns a drawing: uint8 (H, W), ink bright on 0, about 100 pixels high. Anything that
people also write as a digit is excluded: O, l, S, plus (a hasty 4), vertical strokes and loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Drawing = NDArray[np.uint8]
Points = Sequence[tuple[float, float]]

_SIDE = 112
_BENDING_PX = 5.0
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)
_LETTERS = "ACDEFGHKLMNPRTUVWXacdehkmnpruvwx"
_WORD_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SIGNS = "#%*=@<^~"

# Strokes in the unit square, y down.
_SHAPES: dict[str, Sequence[Points]] = {
    "cross": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "check": [[(0, 0.55), (0.35, 1), (1, 0)]],
    "arrow": [[(0, 0.5), (1, 0.5)], [(0.65, 0.2), (1, 0.5), (0.65, 0.8)]],
    "arrow up": [[(0.5, 1), (0.5, 0)], [(0.2, 0.35), (0.5, 0), (0.8, 0.35)]],
    "triangle": [[(0, 1), (0.5, 0), (1, 1), (0, 1)]],
    "square": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
    "oblong": [[(0, 0.25), (1, 0.25), (1, 0.75), (0, 0.75), (0, 0.25)]],
    "diamond": [[(0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5), (0.5, 0)]],
    "star": [[(0.2, 1), (0.5, 0), (0.8, 1), (0, 0.38), (1, 0.38), (0.2, 1)]],
    "house": [[(0, 0.4), (0.5, 0), (1, 0.4), (1, 1), (0, 1), (0, 0.4), (1, 0.4)]],
    "dash": [[(0, 0.5), (1, 0.5)]],
    "two dashes": [[(0, 0.4), (1, 0.4)], [(0, 0.65), (1, 0.65)]],
    "corner": [[(0, 0), (0, 1), (1, 1)]],
    "wave": [[(0, 0.6), (0.2, 0.4), (0.4, 0.6), (0.6, 0.4), (0.8, 0.6), (1, 0.4)]],
    "tee": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
    "frame": [[(0, 0), (0, 1), (1, 1), (1, 0)]],
    "dots": [[(0, 0.5), (0.01, 0.5)], [(0.5, 0.5), (0.51, 0.5)], [(1, 0.5), (1, 0.51)]],
    "grid": [[(0, 0.33), (1, 0.33)], [(0, 0.67), (1, 0.67)], [(0.5, 0), (0.5, 1)]],
    "heart": [[(0.5, 1), (0, 0.4), (0.15, 0.05), (0.5, 0.3), (0.85, 0.05), (1, 0.4), (0.5, 1)]],
    "double stroke": [[(0.35, 0), (0.3, 1)], [(0.7, 0), (0.65, 1)]],
    "vee": [[(0, 0), (0.5, 1), (1, 0)]],
    "roof": [[(0, 1), (0.5, 0), (1, 1)]],
    "turned zed": [[(0, 1), (0, 0), (1, 1), (1, 0)]],
    "zigzag": [[(0, 1), (0.25, 0), (0.5, 1), (0.75, 0), (1, 1)]],
    "zigzag down": [[(0, 0), (0.25, 1), (0.5, 0.2), (0.75, 1), (1, 0)]],
    "foot": [[(0.2, 0), (0.2, 1), (0.9, 1)]],
    "comb": [[(1, 0), (0, 0), (0, 1), (1, 1)], [(0, 0.5), (0.8, 0.5)]],
    "pennant": [[(0.1, 1), (0.1, 0), (0.9, 0.25), (0.1, 0.5)]],
    "kite": [[(0.5, 0), (0.85, 0.35), (0.5, 1), (0.15, 0.35), (0.5, 0)]],
    "open book": [[(0.5, 1), (0.5, 0.1), (0, 0), (0, 0.9), (0.5, 1), (1, 0.9), (1, 0), (0.5, 0.1)]],
}
# Drawn with rounded corners.
_CURVES: dict[str, Sequence[Points]] = {
    "arch": [[(0, 1), (0.05, 0.3), (0.3, 0), (0.7, 0), (0.95, 0.3), (1, 1)]],
    "rainbow": [
        [(0, 0.8), (0.05, 0.4), (0.3, 0.1), (0.7, 0.1), (0.95, 0.4), (1, 0.8)],
        [(0.2, 0.8), (0.25, 0.5), (0.4, 0.35), (0.6, 0.35), (0.75, 0.5), (0.8, 0.8)],
    ],
    "bowl": [[(0, 0), (0.05, 0.7), (0.3, 1), (0.7, 1), (0.95, 0.7), (1, 0)]],
    "hill": [[(0, 0.75), (0.2, 0.4), (0.5, 0.25), (0.8, 0.4), (1, 0.75)]],
    "crescent": [
        [(0, 0.3), (0.15, 0.7), (0.5, 0.85), (0.85, 0.7), (1, 0.3)],
        [(0, 0.3), (0.2, 0.5), (0.5, 0.6), (0.8, 0.5), (1, 0.3)],
    ],
    "banana": [
        [(0.75, 0), (0.7, 0.4), (0.4, 0.75), (0, 0.9), (0.1, 1), (0.6, 0.9), (0.9, 0.5), (0.75, 0)]
    ],
    "fish": [[(1, 0.75), (0.6, 0.35), (0.2, 0.2), (0, 0.5), (0.2, 0.8), (0.6, 0.65), (1, 0.25)]],
    "three bows": [
        [(0, 1), (0, 0), (0.3, 0), (0.33, 1), (0.36, 0), (0.65, 0), (0.7, 1), (0.7, 0.8)]
    ],
    "three cups": [[(0, 0), (0.05, 1), (0.45, 1), (0.5, 0), (0.55, 1), (0.95, 1), (1, 0)]],
    "cloud": [
        [
            (0, 0.7),
            (0, 0.3),
            (0.3, 0.4),
            (0.3, 0),
            (0.7, 0),
            (0.6, 0.4),
            (1, 0.3),
            (1, 0.7),
            (0, 0.7),
        ]
    ],
}


def draw_letter(rng: np.random.Generator) -> Drawing:
    """Draw a letter or a sign that resembles no digit."""
    return _write(str(rng.choice(list(_LETTERS if rng.random() < 0.8 else _SIGNS))), rng)


def draw_word(rng: np.random.Generator) -> Drawing:
    """Draw two to six letters in a row."""
    return _write("".join(rng.choice(list(_WORD_LETTERS), rng.integers(2, 7))), rng)


def draw_shape(rng: np.random.Generator) -> Drawing:
    """Draw an unsteady cross, arrow, square or the like."""
    return _draw_strokes(_SHAPES, rng, min_scale=0.6)


def draw_curve(rng: np.random.Generator) -> Drawing:
    """Draw an unsteady arch, bowl, crescent or the like."""
    return _draw_strokes(_CURVES, rng, min_scale=0.5, rounded=True)


def draw_figure(rng: np.random.Generator) -> Drawing:
    """Draw a body with limbs, ears or windows, like people's drawings of animals and things."""
    drawing, pen = _canvas(), int(rng.integers(2, 8))
    middle = np.array([_SIDE, _SIDE]) / 2 + rng.normal(0, 5, 2)
    axes = rng.uniform(14, 34, 2)
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(4, 9)), endpoint=False)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    corners = middle + around * axes * rng.uniform(0.7, 1.2, (len(angles), 1))
    body = np.concatenate([corners, corners[:1]])
    _line(drawing, _round_off(body) if rng.random() < 0.6 else body, pen)
    for _ in range(int(rng.integers(3, 7))):
        start = corners[rng.integers(len(corners))] if rng.random() < 0.7 else middle
        if rng.random() < 0.35:  # an ear, a wheel, an eye
            size = rng.integers(3, 14, 2).tolist()
            place = np.rint(start).astype(int).tolist()
            cv2.ellipse(drawing, place, size, rng.uniform(0, 180), 0, 360, 255, pen, cv2.LINE_AA)
        else:  # a limb, a tail, a line across
            steps = rng.normal(0, 14, (int(rng.integers(1, 4)), 2)).cumsum(axis=0)
            _line(drawing, np.concatenate([start[np.newaxis], start + steps]), pen)
    return _bend(drawing, rng)


def draw_smiley(rng: np.random.Generator) -> Drawing:
    """Draw a face: eyes, a mouth and usually a circle around them."""
    drawing, pen, middle = _canvas(), _pen(rng), _SIDE // 2
    if rng.random() < 0.8:
        cv2.circle(drawing, (middle, middle), 42, 255, pen, cv2.LINE_AA)
    for x in (middle - 15, middle + 15):
        cv2.circle(drawing, (x, middle - 12), int(rng.integers(3, 6)), 255, -1, cv2.LINE_AA)
    frown = 180 if rng.random() < 0.3 else 0
    mouth = (int(rng.integers(14, 24)), int(rng.integers(6, 18)))
    cv2.ellipse(drawing, (middle, middle + 12), mouth, frown, 10, 170, 255, pen, cv2.LINE_AA)
    return _bend(drawing, rng)


def draw_scribble(rng: np.random.Generator) -> Drawing:
    """Draw a long aimless line with many turns."""
    drawing = _canvas()
    points = rng.uniform(12, _SIDE - 12, (int(rng.integers(7, 18)), 2))
    if rng.random() < 0.4:  # back and forth, as for filling or crossing out
        points[:, 0] = np.where(np.arange(len(points)) % 2, 95, 15) + rng.normal(0, 6, len(points))
        points[:, 1] = np.linspace(25, 85, len(points)) + rng.normal(0, 5, len(points))
    _line(drawing, _round_off(points), int(rng.integers(3, 10)))
    return drawing


def draw_blotch(rng: np.random.Generator) -> Drawing:
    """Draw filled patches: dots, stains, shadows."""
    if rng.random() < 0.3:
        drawing, middle = _canvas(), (_SIDE // 2, _SIDE // 2)
        axes = (int(rng.integers(10, 40)), int(rng.integers(10, 40)))
        cv2.ellipse(drawing, middle, axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        return _bend(drawing, rng)
    cells = int(rng.integers(3, 9))
    field = cv2.resize(rng.random((cells, cells), np.float32), (_SIDE, _SIDE), None, 0, 0, 2)
    steep = (field - np.float32(rng.uniform(0.45, 0.7))) * np.float32(rng.uniform(1, 12))
    return np.asarray(np.clip(steep * 255, 0, 255), np.uint8)


DOODLES: Sequence[tuple[float, Callable[[np.random.Generator], Drawing]]] = (
    (0.36, draw_letter),
    (0.12, draw_word),
    (0.18, draw_shape),
    (0.10, draw_curve),
    (0.08, draw_figure),
    (0.04, draw_smiley),
    (0.08, draw_scribble),
    (0.04, draw_blotch),
)


def _canvas() -> Drawing:
    return np.zeros((_SIDE, _SIDE), np.uint8)


def _pen(rng: np.random.Generator) -> int:
    return int(rng.integers(3, 13))


def _draw_strokes(
    figures: dict[str, Sequence[Points]],
    rng: np.random.Generator,
    *,
    min_scale: float,
    rounded: bool = False,
) -> Drawing:
    strokes = figures[str(rng.choice(list(figures)))]
    size = rng.uniform(min_scale, 1, 2) * (_SIDE - 40)  # width, height
    drawing, pen = _canvas(), _pen(rng)
    for stroke in strokes:
        points = np.array(stroke) * size + 20 + rng.normal(0, 3, (len(stroke), 2))
        _line(drawing, _round_off(points) if rounded else points, pen)
    return _bend(drawing, rng)


def _write(text: str, rng: np.random.Generator) -> Drawing:
    font, pen = _FONTS[rng.integers(len(_FONTS))], _pen(rng)
    scale = cv2.getFontScaleFromHeight(font, 70, pen)
    (width, height), below = cv2.getTextSize(text, font, scale, pen)
    margin = 20
    drawing = np.zeros((height + below + 2 * margin, width + 2 * margin), np.uint8)
    cv2.putText(drawing, text, (margin, margin + height), font, scale, 255, pen, cv2.LINE_AA)
    return _bend(drawing, rng)


def _line(drawing: Drawing, points: NDArray[np.float64], pen: int) -> None:
    cv2.polylines(drawing, [np.rint(points).astype(np.int32)], False, 255, pen, cv2.LINE_AA)


def _round_off(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round the corners of a polyline (n, 2) by repeated corner cutting.

    G. Chaikin, "An Algorithm for High-Speed Curve Generation", 1974,
    https://doi.org/10.1016/0146-664X(74)90028-8
    """
    for _ in range(3):
        near, far = 0.75 * points[:-1] + 0.25 * points[1:], 0.25 * points[:-1] + 0.75 * points[1:]
        points = np.stack([near, far], axis=1).reshape(-1, 2)
    return points


def _bend(drawing: Drawing, rng: np.random.Generator) -> Drawing:
    """Slant a drawing and warp it like an unsteady hand."""
    height, width = drawing.shape
    field = cv2.resize(rng.normal(0, _BENDING_PX, (4, 4, 2)), (width, height), None, 0, 0, 2)
    rows, columns = np.indices(drawing.shape, np.float32)
    slant = rng.normal(0, 0.2) * (rows - height / 2)
    return np.asarray(
        cv2.remap(
            drawing,
            (columns + slant + field[..., 0]).astype(np.float32),
            (rows + field[..., 1]).astype(np.float32),
            cv2.INTER_LINEAR,
        )
    )
