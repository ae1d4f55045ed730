"""Random fields that change slowly over a picture: fog, shadow, ink that runs dry."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE


def smooth_field(rng: np.random.Generator, *, cells: int) -> NDArray[np.float32]:
    """Draw a smooth field.

    Parameters
    ----------
    rng
        Where the chance comes from.
    cells
        Random values along a side, between which the field is interpolated: more is rougher.

    Returns
    -------
    ndarray
        float32 (28, 28), about 0 to 1.
    """
    coarse = rng.random((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
