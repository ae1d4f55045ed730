"""What is on paper beside the digits: rulings, frames, print, patterns, words, doodles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.synthesis.doodles import DOODLES

Layer = NDArray[np.uint8]  # (H, W), bright on 0
Rng = np.random.Generator

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FONTS = ("sans", "italic", "uni")


def draw_line(
    layer: Layer, start: tuple[float, float], end: tuple[float, float], grey: int, thickness: int
) -> None:
    """Draw a straight line with subpixel ends, keeping what is brighter."""
    drawn = np.zeros_like(layer) if grey < 255 else layer
    points = np.rint(np.array([start, end]) * 16).astype(np.int64)
    points = np.clip(points, -(2**18), 2**18)
    cv2.line(drawn, points[0].tolist(), points[1].tolist(), grey, thickness, cv2.LINE_AA, 4)
    if drawn is not layer:
        np.maximum(layer, drawn, out=layer)


def rule(layer: Layer, rng: Rng, base: float) -> None:
    """Rule, square or pattern a sheet whose digits are about ``base`` pixels high."""
    kind = rng.random()
    if kind < 0.3:
        _parallel(layer, rng, rng.uniform(0.9, 2.6) * base, across=False)
    elif kind < 0.45:
        gap = rng.uniform(0.9, 2.6) * base
        _parallel(layer, rng, gap, across=False)
        _parallel(layer, rng, gap * rng.uniform(0.6, 3), across=True)
    elif kind < 0.62:  # squared paper
        gap = float(np.exp(rng.uniform(np.log(0.1), np.log(1.1)))) * base
        # Fine patterns are faint, or nobody could read what is written on them.
        grey = int(rng.integers(30, 90 if gap < 0.35 * base else 200))
        _parallel(layer, rng, gap, across=False, grey=grey)
        _parallel(layer, rng, gap, across=True, grey=grey)
    elif kind < 0.82:
        _guilloche(layer, rng, base)
    elif kind < 0.9:  # dots
        gap = max(3, int(rng.uniform(0.1, 0.8) * base))
        grey = int(rng.integers(30, 110 if gap < 0.25 * base else 220))
        side = 1 + int(rng.uniform(0, 0.2) * gap)
        for y, x in np.ndindex(side, side):
            layer[y::gap, x::gap] = np.maximum(layer[y::gap, x::gap], grey)
    else:  # single lines anywhere
        height, width = layer.shape
        for _ in range(int(rng.integers(1, 5))):
            a, b = rng.uniform(-0.1, 1.1, (2, 2)) * (width, height)
            if rng.random() < 0.7:
                b[int(rng.integers(2))] = a[int(rng.integers(2))]
            draw_line(layer, tuple(a), tuple(b), int(rng.integers(60, 255)), _thickness(rng, base))


def frame(layer: Layer, rng: Rng, base: float) -> None:
    """Draw bold or fine lines of a frame or table, a binding or perforation."""
    height, width = layer.shape
    grey, thickness = int(rng.integers(90, 255)), _thickness(rng, base) + int(rng.integers(0, 3))
    for _ in range(int(rng.integers(1, 5))):
        if rng.random() < 0.5:
            x = rng.uniform(0, width) if rng.random() < 0.5 else rng.choice([0.02, 0.98]) * width
            ends = (x, rng.uniform(-1, 0.5) * height), (x, rng.uniform(0.5, 2) * height)
        else:
            y = rng.uniform(0, height) if rng.random() < 0.5 else rng.choice([0.02, 0.98]) * height
            ends = (rng.uniform(-1, 0.5) * width, y), (rng.uniform(0.5, 2) * width, y)
        draw_line(layer, *ends, grey, thickness)
    if rng.random() < 0.08:  # a spiral binding
        radius = max(2, int(0.15 * base))
        for y in range(0, height, 4 * radius):
            cv2.circle(layer, (3 * radius, y), radius, grey, max(1, radius // 3), cv2.LINE_AA)


def write_words(layer: Layer, free: Layer, rng: Rng, base: float) -> None:
    """Print words, or write them, where nothing else stands."""
    font = cv2.FontFace(str(rng.choice(_FONTS)))
    size = max(7, int(base * rng.uniform(0.3, 1.3)))
    weight = int(rng.choice([300, 400, 600, 800]))
    grey = int(rng.integers(90, 256))
    for _ in range(int(rng.integers(1, 9))):
        letters = rng.choice(list(_LETTERS), int(rng.integers(2, 10)))
        text = "".join(letters)
        if rng.random() < 0.3:
            text = text.upper() + str(rng.choice([":", ".", "", "?"]))
        canvas = np.zeros((2 * size + 4, (len(text) + 2) * size), np.uint8)
        cv2.putText(canvas, text, (4, int(1.4 * size)), grey, font, size, weight)
        x, y, width, height = cv2.boundingRect((canvas > 20).astype(np.uint8))
        if width:
            _place(layer, free, canvas[y : y + height, x : x + width], rng)


def doodle(layer: Layer, free: Layer, rng: Rng, base: float) -> None:
    """Write letters, words, shapes and scribbles by hand, where nothing else stands."""
    shares, drawings = zip(*DOODLES, strict=True)
    drawing = drawings[int(rng.choice(len(drawings), p=shares))](rng)
    height = base * float(np.exp(rng.uniform(np.log(0.5), np.log(2.5))))
    scale = height / drawing.shape[0]
    size = max(3, round(drawing.shape[1] * scale)), max(3, round(height))
    _place(layer, free, cv2.resize(drawing, size, interpolation=cv2.INTER_AREA), rng)


def _place(layer: Layer, free: Layer, drawing: Layer, rng: Rng) -> None:
    height, width = drawing.shape
    if height >= layer.shape[0] or width >= layer.shape[1]:
        return
    for _ in range(5):
        y = int(rng.integers(0, layer.shape[0] - height))
        x = int(rng.integers(0, layer.shape[1] - width))
        where = np.s_[y : y + height, x : x + width]
        if free[where].min():
            layer[where] = np.maximum(layer[where], drawing)
            free[where] = 0
            return


def _thickness(rng: Rng, base: float) -> int:
    return max(1, round(base * rng.uniform(0.01, 0.09)))


def _parallel(layer: Layer, rng: Rng, gap: float, *, across: bool, grey: int | None = None) -> None:
    height, width = layer.shape
    grey = int(rng.integers(40, 255)) if grey is None else grey
    thickness = 1 if gap < 20 else _thickness(rng, gap / 2)
    drawn = np.zeros_like(layer)
    along, length = (width, height) if across else (height, width)
    lean = rng.normal(0, 0.01) * length
    for place in np.arange(rng.uniform(-gap, 0), along + gap, max(4.0, gap)):
        ends = np.array([(-2, place), (length + 2, place + lean)])
        ends = ends[:, ::-1] if across else ends
        a, b = np.rint(ends * 16).astype(int).tolist()
        cv2.line(drawn, a, b, grey, thickness, cv2.LINE_AA, 4)
    if rng.random() < 0.12:  # dashed
        period = int(rng.integers(4, 10))
        (drawn if across else drawn.T)[np.arange(length) % period < period // 2] = 0
    np.maximum(layer, drawn, out=layer)


def _guilloche(layer: Layer, rng: Rng, base: float) -> None:
    """Draw the wavy lines of cheques and banknotes."""
    height, width = layer.shape
    across = np.arange(-4, width + 8, 4)
    drawn = np.zeros_like(layer)
    for _ in range(int(rng.integers(1, 3))):
        gap = rng.uniform(0.12, 0.5) * base
        amplitude, period = rng.uniform(0.05, 0.8) * base, rng.uniform(1, 8) * base
        drift, tilt = rng.normal(0, 0.5), rng.normal(0, 0.25)
        for n, y in enumerate(np.arange(-2 * base, height + 2 * base, max(2.5, gap))):
            wave = y + amplitude * np.sin(across * 2 * np.pi / period + n * drift)
            points = np.stack([across, wave + tilt * (across - width / 2)], axis=1)
            cv2.polylines(
                drawn, [np.rint(points * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, 4
            )
    strength = rng.uniform(0.12, 0.6)
    np.maximum(layer, (drawn * strength).astype(np.uint8), out=layer)
