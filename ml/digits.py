"""Constants and types shared by all of `ml`."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SIDE = 28  # pixels; the digit network takes SIDE x SIDE glyphs
DIGITS = 10  # 0 to 9
MARKS = (".", ",", "-", "/", ":")
# What the finder and the line reader tell apart; OTHER is any other sign, such as +, × or (.
SYMBOLS = (*map(str, range(DIGITS)), *MARKS)
OTHER = len(SYMBOLS)

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class Box(NamedTuple):
    """A bounding box in pixels of the upright picture at full size."""

    x: int
    y: int
    width: int
    height: int
