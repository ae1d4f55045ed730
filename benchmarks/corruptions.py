"""Fifteen corruptions of digits as in MNIST-C, for evaluation only.

After the descriptions in N. Mu, J. Gilmer, "MNIST-C: A Robustness Benchmark for Computer Vision",
arXiv:1906.02337; the code and the strengths are our own, so results are not comparable with the
paper's. Independent of `ml.synthesis.augmentation`.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (28, 28) in [0, 1], ink 1

SIDE = 28
MIDDLE = (SIDE - 1) / 2


def shot_noise(picture: Picture, rng: np.random.Generator) -> Picture:
    return (rng.poisson(picture * 6) / 6).astype(np.float32)


def impulse_noise(picture: Picture, rng: np.random.Generator) -> Picture:
    noise = rng.random(picture.shape)
    return np.where(noise < 0.12, 0, np.where(noise > 0.88, 1, picture)).astype(np.float32)


def glass_blur(picture: Picture, rng: np.random.Generator) -> Picture:
    shuffled = picture.copy()
    for row in range(2, SIDE - 2):
        for column in range(2, SIDE - 2):
            dy, dx = rng.integers(-2, 3, 2)
            here, there = (row, column), (row + dy, column + dx)
            shuffled[here], shuffled[there] = shuffled[there], shuffled[here]
    return np.asarray(cv2.GaussianBlur(shuffled, (0, 0), 0.7))


def motion_blur(picture: Picture, rng: np.random.Generator) -> Picture:
    kernel = np.zeros((11, 11), np.float32)
    kernel[5] = 1 / 11
    turn = cv2.getRotationMatrix2D((5, 5), rng.uniform(-45, 45), 1)
    return np.asarray(cv2.filter2D(picture, -1, cv2.warpAffine(kernel, turn, (11, 11))))


def _warp(picture: Picture, matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> Picture:
    middle = np.array([MIDDLE, MIDDLE])
    offset = middle - matrix @ middle + shift
    return np.asarray(cv2.warpAffine(picture, np.column_stack([matrix, offset]), (SIDE, SIDE)))


def shear(picture: Picture, rng: np.random.Generator) -> Picture:
    along = rng.choice([-0.6, 0.6])
    return _warp(picture, np.array([[1, along], [0, 1]]), np.zeros(2))


def scale(picture: Picture, rng: np.random.Generator) -> Picture:
    return _warp(picture, np.eye(2) * rng.uniform(0.5, 0.65), np.zeros(2))


def rotate(picture: Picture, rng: np.random.Generator) -> Picture:
    angle = np.deg2rad(rng.choice([-1, 1]) * rng.uniform(25, 38))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _warp(picture, turn, np.zeros(2))


def brightness(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.asarray(np.clip(picture + np.float32(rng.uniform(0.4, 0.7)), 0, 1))


def translate(picture: Picture, rng: np.random.Generator) -> Picture:
    return _warp(picture, np.eye(2), rng.choice([-1, 1], 2) * rng.uniform(3, 6, 2))


def stripe(picture: Picture, rng: np.random.Generator) -> Picture:
    striped = picture.copy()
    width = int(rng.integers(5, 8))
    striped[:, :width] = 1 - striped[:, :width]
    striped[:, -width:] = 1 - striped[:, -width:]
    return striped


def fog(picture: Picture, rng: np.random.Generator) -> Picture:
    plasma, weight = np.zeros((32, 32)), 1.0
    for cells in (2, 4, 8, 16, 32):
        plasma += weight * cv2.resize(rng.random((cells, cells)), (32, 32))
        weight /= 1.8
    plasma /= plasma.max()
    return (np.clip(picture + 1.3 * plasma[:SIDE, :SIDE], 0, 2.3) / 2.3).astype(np.float32)


def spatter(picture: Picture, rng: np.random.Generator) -> Picture:
    liquid = cv2.GaussianBlur(rng.normal(0.65, 0.3, picture.shape), (0, 0), 1.2)
    drops = np.clip((liquid - 0.68) * 10, 0, 1)
    return np.asarray(np.clip(picture + drops, 0, 1), np.float32)


def dotted_line(picture: Picture, rng: np.random.Generator) -> Picture:
    dotted = picture.copy()
    start, end = rng.uniform(4, SIDE - 4, 2)
    rows = np.linspace(start, end, SIDE).round().astype(int)
    for column in range(0, SIDE, 2):
        dotted[rows[column], column] = 1
    return dotted


def zigzag(picture: Picture, rng: np.random.Generator) -> Picture:
    columns = np.arange(0, SIDE + 3, 3)
    start, end = rng.uniform(6, SIDE - 6, 2)
    rows = np.linspace(start, end, len(columns))
    rows += np.where(np.arange(len(columns)) % 2, 2.5, -2.5)
    points = np.rint(np.stack([columns, rows], axis=1)).astype(np.int32)
    line = np.zeros(picture.shape, np.uint8)
    cv2.polylines(line, [points], False, 255, 1, cv2.LINE_AA)
    return np.asarray(np.maximum(picture, line / np.float32(255)))


def edges_only(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.asarray(cv2.Canny((picture * 255).astype(np.uint8), 100, 200) / 255, np.float32)


CORRUPTIONS: tuple[Callable[[Picture, np.random.Generator], Picture], ...] = (
    shot_noise,
    impulse_noise,
    glass_blur,
    motion_blur,
    shear,
    scale,
    rotate,
    brightness,
    translate,
    stripe,
    fog,
    spatter,
    dotted_line,
    zigzag,
    edges_only,
)
