"""Lines of digits cut out of a page as strips of one height, upright, for the line reader."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

HEIGHT = 32  # pixels of a strip
DIGIT_HEIGHT = 20.0  # pixels of most digits in it
FRAME = 2  # pixels of a strip per output of the line reader
MARGIN = 0.7  # of a digit's height, beside the first and the last digit
MAX_WIDTH = 1024  # pixels
_MIN_SPAN = 1.5  # of a digit's height; closer digits do not show where a line leads

Box = tuple[float, float, float, float]  # x, y, width, height


class Strip(NamedTuple):
    """A line of digits, upright.

    Attributes
    ----------
    contrast
        float32 (32, W), ink above 0; W is a multiple of 4.
    matrix
        float64 (2, 3), from the page's pixels to the strip's.
    """

    contrast: npt.NDArray[np.float32]
    matrix: npt.NDArray[np.float64]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the page lies in the strip."""
        u, v = self.matrix @ (x, y, 1.0)
        return float(u), float(v)


def cut_strip(
    contrast: npt.NDArray[np.float32], boxes: Sequence[Box], *, slope: float = 0.0
) -> Strip:
    """Cut the digits of one line out of a page.

    Parameters
    ----------
    contrast : float32, shape (H, W)
        The page's contrast (`ml.reading.contrast`).
    boxes
        Of the digits, at least one.
    slope
        Of the page's lines, pixels down per pixel to the right; used where the digits do not show
        theirs.

    Returns
    -------
    Strip
        Its scale makes the digits' median height `DIGIT_HEIGHT`.
    """
    sides = np.array(boxes, float)  # (n, 4)
    middles = sides[:, :2] + sides[:, 2:] / 2
    height = max(4.0, float(np.median(sides[:, 3])))
    if np.ptp(middles[:, 0]) > _MIN_SPAN * height:
        slope = float(np.polyfit(middles[:, 0], middles[:, 1], 1)[0])
    angle = float(np.clip(np.arctan(slope), -0.6, 0.6))
    scale = DIGIT_HEIGHT / height
    rotation = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned = middles @ rotation.T
    reach = sides[:, 2] * scale / 2
    start = float((turned[:, 0] - reach).min()) - MARGIN * DIGIT_HEIGHT
    end = float((turned[:, 0] + reach).max()) + MARGIN * DIGIT_HEIGHT
    shift = np.array([-start, HEIGHT / 2 - float(np.median(turned[:, 1]))])
    width = min(MAX_WIDTH, -(-int(np.ceil(end - start)) // 4) * 4)
    matrix = np.c_[rotation, shift]
    strip = _warped(contrast, matrix, width, blur=0.35 / scale if scale < 0.7 else 0.0)
    if float(np.mean(strip**3)) < 0:  # ink is the lesser part
        strip = -strip
    return Strip(strip, matrix)


def _warped(
    contrast: npt.NDArray[np.float32], matrix: npt.NDArray[np.float64], width: int, *, blur: float
) -> npt.NDArray[np.float32]:
    """Return the pixels of a strip; `blur` is the deviation in pixels of the page, 0 for none."""
    if blur:  # only what the strip shows: to blur the whole page took half of the time
        corners = np.array([(0, 0), (width, 0), (0, HEIGHT), (width, HEIGHT)], float)
        there = cv2.transform(corners[np.newaxis], cv2.invertAffineTransform(matrix))[0]
        reach = int(np.ceil(4 * blur)) + 2
        left, top = np.maximum(0, np.floor(there.min(axis=0)).astype(int) - reach)
        right, bottom = np.maximum(0, np.ceil(there.max(axis=0)).astype(int) + reach)
        contrast = contrast[top:bottom, left:right]
        if not contrast.size:  # beside the page
            return np.zeros((HEIGHT, width), np.float32)
        contrast = cv2.GaussianBlur(contrast, (0, 0), blur)
        matrix = np.c_[matrix[:, :2], matrix @ (left, top, 1)]
    strip = cv2.warpAffine(
        contrast, matrix, (width, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(strip, np.float32)
