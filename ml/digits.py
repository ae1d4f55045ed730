"""What all of `ml` shares: the size of a digit's picture, the digits, boxes and array types."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

SIDE = 28  # pixels a side of the picture that the digit network sees
DIGITS = 10  # 0 to 9

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


class Box(NamedTuple):
    """A rectangle in pixels of the upright picture at full size."""

    x: int
    y: int
    width: int
    height: int
