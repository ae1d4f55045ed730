"""Smooth random fields, for fog, spatter and fading ink."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ml.digits import SIDE


def smooth_field(rng: np.random.Generator, *, cells: int) -> NDArray[np.float32]:
    """Return a smooth random field.

    Parameters
    ----------
    rng
        Source of randomness.
    cells
        Random values per side to interpolate between; more is rougher.

    Returns
    -------
    ndarray
        float32 (28, 28), about 0 to 1.
    """
    coarse = rng.random((cells, cells), np.float32)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
