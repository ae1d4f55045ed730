"""The slant of a line of writing, measured and taken out."""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey
from ml.model.normalisation import crop
from ml.page.components import Boxes
from ml.page.lines import Line

SLANTS = np.arange(-0.5, 1.01, 0.1)  # pixels to the right a pixel up, that are tried
SLANTED_FRACTION = 0.5  # of the line's height: what is lower does not tell the slant


def slant_of(labels: npt.NDArray[np.int32], boxes: Boxes, line: Line) -> float:
    """Find the shear that makes the columns of a line's pieces as full, or as empty, as can be.

    In the manner of A. Vinciarelli, J. Luettin, "A new normalization technique for cursive
    handwritten words", Pattern Recognition Letters 22(9), 2001.
    """
    tall = [p for p in line.pieces if boxes[p, 3] > SLANTED_FRACTION * line.height]
    if len(tall) < 2 and boxes[tall, 2].max(initial=0) < 1.1 * line.height:
        return 0.0  # one digit: its own shape would be taken for a slant
    fullness = np.zeros(len(SLANTS))
    for piece in tall[:40]:
        x, y, w, h = boxes[piece]
        rows, columns = np.nonzero(labels[y : y + h, x : x + w] == piece)
        for n, slant in enumerate(SLANTS):
            column = np.rint(columns + slant * (rows - h / 2)).astype(np.int64)
            inked = np.bincount(column - column.min()).astype(np.float64)
            fullness[n] += np.sum(inked**2) / len(rows)
    return float(SLANTS[int(np.argmax(fullness * (1 - 0.05 * np.abs(SLANTS))))])


def upright(ink: Grey, slant: float) -> Grey:
    """Take a slant out of ink.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        Ink bright on 0.
    slant
        Pixels to the right a pixel up.

    Returns
    -------
    uint8, shape (h, w)
        The ink sheared back, cropped to its box.
    """
    height, width = ink.shape
    room = int(np.ceil(abs(slant) * height / 2))
    shear = np.array([[1, slant, room - slant * height / 2], [0, 1, 0]], np.float32)
    return crop(np.asarray(cv2.warpAffine(ink, shear, (width + 2 * room, height))))
