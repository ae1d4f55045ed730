"""Draws a digit as a pen does, on squared paper, in uneven light."""

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 960, 720  # pixels of the drawn photo
# An eight, in one stroke from its upper right, in pixels of the photo.
STROKE = [
    (585, 190),
    (540, 140),
    (470, 135),
    (408, 170),
    (392, 238),
    (432, 300),
    (505, 350),
    (572, 412),
    (592, 492),
    (552, 568),
    (472, 596),
    (398, 562),
    (380, 486),
    (428, 408),
    (510, 338),
    (572, 268),
    (588, 205),
]


def smooth(points: list[tuple[int, int]], steps: int = 40) -> NDArray[np.float64]:
    """Lead a curve through points: a Catmull-Rom spline, float64 (N, 2)."""
    padded = np.array([points[0], *points, points[-1]], np.float64)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        ((2 * b) + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * (b - c) + d - a) * t**3)
        / 2
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate(pieces)


def draw_photo() -> bytes:
    """Draw a pen's eight on squared paper in uneven light, a little turned, as JPEG."""
    page = np.full((HEIGHT, WIDTH, 3), (240, 243, 244), np.uint8)
    for at in range(30, WIDTH, 48):
        cv2.line(page, (at, 0), (at, HEIGHT), (233, 222, 214), 2, cv2.LINE_AA)
        cv2.line(page, (0, at), (WIDTH, at), (233, 222, 214), 2, cv2.LINE_AA)
    shift = 4  # cv2 takes sixteenths of a pixel
    for part, (x, y) in enumerate(smooth(STROKE)):
        radius = 9 + 2.5 * np.sin(part / 55)  # the pen's pressure
        centre = (round(x * 2**shift), round(y * 2**shift))
        cv2.circle(page, centre, round(radius * 2**shift), (112, 52, 36), -1, cv2.LINE_AA, shift)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 5, 1.15)
    turned = cv2.warpAffine(page, turn, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    light = np.linspace(1, 0.86, WIDTH)[None, :, None] * np.linspace(1, 0.94, HEIGHT)[:, None, None]
    lit = cv2.GaussianBlur((turned * light).astype(np.uint8), (3, 3), 0)
    return cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
