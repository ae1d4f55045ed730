"""Digits drawn on a page as pen strokes."""

import cv2
import numpy as np
import numpy.typing as npt

Page = npt.NDArray[np.uint8]


def _arc(x: int, y: int, width: int, height: int, start: int, end: int) -> list[tuple[int, int]]:
    points = cv2.ellipse2Poly((x, y), (width, height), 0, start, end, 10)
    return [(int(x), int(y)) for x, y in points]


# Polylines in a box 100 high.
STROKES: dict[int, list[list[tuple[int, int]]]] = {
    0: [_arc(35, 50, 28, 45, 0, 360)],
    1: [[(40, 5), (34, 95)]],
    2: [[(8, 28), (20, 8), (45, 6), (57, 25), (45, 50), (5, 93)], [(5, 93), (65, 92)]],
    3: [_arc(32, 28, 24, 22, 210, 440), _arc(32, 70, 28, 24, 280, 510)],
    7: [[(5, 10), (62, 8), (30, 95)]],
}


def write(
    page: Page, digit: int, x: float, y: float, height: float, *, ink: int = 25, pen: int = 0
) -> Page:
    """Draw a digit whose box has its upper left corner at (x, y), in pixels; return the page."""
    for stroke in STROKES[digit]:
        points = np.rint(np.array(stroke) / 100 * height + (x, y)).astype(np.int32)
        cv2.polylines(page, [points], False, ink, pen or max(1, round(height / 11)), cv2.LINE_AA)
    return page
