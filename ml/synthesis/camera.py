"""How a sheet becomes a picture: table, perspective, light, blur, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Layer = NDArray[np.uint8]  # (H, W), bright on 0
Rng = np.random.Generator
FloatImage = NDArray[np.float32]


def choose_view(shape: tuple[int, int], rng: Rng) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Choose how a sheet is looked at.

    Parameters
    ----------
    shape
        Height and width of the sheet, in pixels.
    rng
        Source of randomness.

    Returns
    -------
    matrix : float64, shape (3, 3)
        From the sheet's pixels to the picture's.
    size
        Width and height of the picture.
    """
    height, width = shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    kind = rng.random()
    degrees = rng.normal(0, 2) if kind < 0.85 else rng.uniform(-25, 25)
    turn = np.deg2rad(degrees)
    middle = corners.mean(axis=0)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = (corners - middle) @ rotation.T + middle
    seen += rng.normal(0, 1, seen.shape) * min(shape) * rng.choice([0, 0.01, 0.04])
    if rng.random() < 0.75:  # the sheet goes beyond the picture
        low, high = np.array([0.0, 0.0]), np.array([width, height], float)
        if abs(degrees) > 6:
            low, high = seen.min(axis=0), seen.max(axis=0)
    else:  # its edges are seen
        room = rng.uniform(0.02, 0.2, 2) * (width, height)
        low, high = seen.min(axis=0) - room, seen.max(axis=0) + room
    size = int(np.ceil(high[0] - low[0])), int(np.ceil(high[1] - low[1]))
    target = (seen - low).astype(np.float32)
    return cv2.getPerspectiveTransform(corners, target), size


def photograph(
    ink: Layer,
    ground: Layer,
    rng: Rng,
    *,
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    base: float,
) -> Layer:
    """Take a picture of a sheet.

    Parameters
    ----------
    ink : uint8, shape (H, W)
        What was written, bright on 0.
    ground : uint8, shape (H, W)
        What was printed, bright on 0.
    rng
        Source of randomness.
    matrix, size
        As returned by `choose_view`.
    base
        Height of the digits, in pixels.

    Returns
    -------
    uint8, shape (height, width)
        The picture, grey.
    """
    paper_edge = rng.random() < 0.3
    ink_seen = cv2.warpPerspective(ink, matrix, size).astype(np.float32) / 255
    border = cv2.BORDER_CONSTANT if paper_edge else cv2.BORDER_REPLICATE
    ground_seen = cv2.warpPerspective(ground, matrix, size, borderMode=border)
    ground_seen = ground_seen.astype(np.float32) / 255
    shape = ink_seen.shape
    white = rng.uniform(110, 255)
    black = white * (rng.uniform(0, 0.7) if rng.random() < 0.8 else rng.uniform(0.7, 0.85))
    printed = white * rng.uniform(0.1, 0.95)
    if rng.random() < 0.3:  # an uneven pen
        ink_seen *= np.clip(0.75 + 0.35 * smooth(shape, rng, cells=9), 0.25, 1)
    if rng.random() < 0.12:  # pencil, felt: grain in the stroke
        ink_seen *= 1 - 0.6 * rng.random(shape, np.float32)
    page = np.full(shape, white, np.float32)
    page += (min(printed, white) - page) * ground_seen
    page += texture(shape, rng)
    page += (np.minimum(black, page) - page) * ink_seen
    if paper_edge:
        sheet = cv2.warpPerspective(np.full_like(ink, 255), matrix, size).astype(np.float32) / 255
        page = page * sheet + _table_top(shape, rng) * (1 - sheet)
    page += light(shape, rng)
    picture = np.asarray(np.clip(page, 0, 255)) if rng.random() < 0.3 else _degrade(page, rng, base)
    picture = picture.astype(np.uint8)
    if rng.random() < 0.4:
        quality = int(rng.integers(25, 92))
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE))
    if rng.random() < 0.15:  # a board, a tablet in the dark
        picture = 255 - picture
    return np.asarray(picture)


def _degrade(page: FloatImage, rng: Rng, base: float) -> FloatImage:
    """Blur, shake, shrink, sharpen, add noise or make black and white."""
    shape = page.shape
    if rng.random() < 0.55:
        page = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.4, 0.4 + base / 32))
    elif rng.random() < 0.15:
        page = _move(page, rng, base)
    if rng.random() < 0.2:  # low resolution
        scale = np.clip(rng.uniform(9, 20) / base, 0.25, 1)
        small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        how = cv2.INTER_CUBIC if rng.random() < 0.7 else cv2.INTER_NEAREST
        page = cv2.resize(small, shape[::-1], interpolation=how)
    if rng.random() < 0.1:  # sharpened by the camera
        page = page + rng.uniform(0.5, 1.5) * (page - cv2.GaussianBlur(page, (0, 0), 1.5))
    if (noise := float(rng.choice([0, 1, 3, 6, 12], p=[0.35, 0.25, 0.22, 0.14, 0.04]))) > 0:
        page = page + noise * rng.standard_normal(shape, np.float32)
    if rng.random() < 0.05:  # black and white, by a scanner
        around = cv2.GaussianBlur(page, (0, 0), 2 * base)
        contrast = float(np.percentile(np.abs(page - around), 99))
        page = np.where(page < around - rng.uniform(0.3, 0.6) * contrast, 0.0, 255.0)
    return np.asarray(np.clip(page, 0, 255), np.float32)


def smooth(shape: tuple[int, ...], rng: Rng, *, cells: int) -> FloatImage:
    """Return a smooth field of mean 0 and about unit variance, float32 of ``shape``."""
    coarse = rng.standard_normal((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def texture(shape: tuple[int, ...], rng: Rng) -> FloatImage:
    """Return the grain of paper, in grey levels."""
    strength = float(rng.choice([0, 1, 3, 8], p=[0.4, 0.3, 0.2, 0.1]))
    if not strength:
        return np.zeros(shape, np.float32)
    coarse = int(rng.choice([1, 2, 4]))
    small = rng.standard_normal((shape[0] // coarse + 1, shape[1] // coarse + 1), np.float32)
    return np.asarray(strength * cv2.resize(small, shape[::-1], interpolation=cv2.INTER_LINEAR))


def light(shape: tuple[int, ...], rng: Rng) -> FloatImage:
    """Return uneven light in grey levels: gradients, shadows, folds, a lamp."""
    field = float(rng.choice([0, 3, 10, 25, 40], p=[0.2, 0.3, 0.25, 0.15, 0.1])) * smooth(
        shape, rng, cells=3
    )
    rows, columns = np.indices(shape, np.float32)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.75, 0.18, 0.07]))):
        angle = rng.uniform(0, 2 * np.pi)
        across = (columns - rng.uniform(0, 1) * shape[1]) * np.cos(angle)
        across += (rows - rng.uniform(0, 1) * shape[0]) * np.sin(angle)
        if rng.random() < 0.7:  # the edge of a shadow, sharp or soft
            edge = np.clip(across / rng.uniform(0.7, 0.15 * max(shape)), -30, 30)
            field -= rng.uniform(15, 90) / (1 + np.exp(edge))
        else:  # a fold: a thin dark or bright line
            field -= rng.uniform(-20, 40) * np.exp(-((across / rng.uniform(1, 5)) ** 2))
    return np.asarray(field, np.float32)


def _table_top(shape: tuple[int, ...], rng: Rng) -> FloatImage:
    grain = smooth(shape, rng, cells=int(rng.integers(2, 40))) * rng.uniform(0, 25)
    top = np.asarray(rng.uniform(10, 245) + grain, np.float32)
    if rng.random() < 0.3:  # boards, tiles, a woven cloth
        rows, columns = np.indices(shape, np.float32)
        turn, pitch = rng.uniform(0, np.pi), rng.uniform(4, 60)
        along = columns * np.cos(turn) + rows * np.sin(turn)
        across = rows * np.cos(turn) - columns * np.sin(turn)
        edges = along % pitch < rng.uniform(0.05, 0.5) * pitch
        if rng.random() < 0.5:
            edges = edges ^ (across % pitch < rng.uniform(0.05, 0.5) * pitch)
        top += rng.uniform(-60, 60) * edges
    for _ in range(int(rng.poisson(2))):
        _lay_down_a_thing(top, rng)
    return top


def _lay_down_a_thing(top: FloatImage, rng: Rng) -> None:
    """Put a coin, a cup, a pen, a cable, a key or a crumb on a table."""
    grey = float(rng.uniform(0, 255))
    y, x = (int(rng.integers(0, side)) for side in top.shape)
    size = max(2.0, float(np.exp(rng.uniform(np.log(0.02), np.log(0.4)))) * min(top.shape))
    kind = rng.random()
    if kind < 0.4:  # round or oval, whole or as a ring
        axes = max(1, round(size)), max(1, round(size * rng.uniform(0.3, 1)))
        pen = -1 if rng.random() < 0.5 else max(1, round(size * rng.uniform(0.05, 0.4)))
        cv2.ellipse(top, (x, y), axes, rng.uniform(0, 180), 0, 360, grey, pen, cv2.LINE_AA)
    elif kind < 0.7:  # with corners
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
        reach = size * rng.uniform(0.4, 1, len(turns))
        corners = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], axis=1)
        cv2.fillPoly(top, [np.rint(corners).astype(np.int32)], grey, cv2.LINE_AA)
    else:  # long and thin, straight or bent
        steps = rng.normal(0, size, (int(rng.integers(1, 6)), 2)).cumsum(axis=0)
        points = np.rint(np.array([x, y]) + np.concatenate([[(0, 0)], steps])).astype(np.int32)
        pen = max(1, round(size * rng.uniform(0.02, 0.3)))
        cv2.polylines(top, [points], False, grey, pen, cv2.LINE_AA)


def _move(page: FloatImage, rng: Rng, base: float) -> FloatImage:
    """Blur by moving the camera."""
    length = int(np.clip(rng.uniform(0.05, 0.2) * base, 2, 9))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach = (length - 1) / 2
    for t in np.linspace(-reach, reach, 4 * length):
        row, column = round(reach + t * np.sin(angle)), round(reach + t * np.cos(angle))
        kernel[row, column] = 1
    return np.asarray(cv2.filter2D(page, -1, kernel / kernel.sum()))
