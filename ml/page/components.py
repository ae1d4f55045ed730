"""Connected pieces of ink on a page, their measures, and which of them are no writing at all."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey, Mask

Boxes = npt.NDArray[np.int32]  # (n, 4) x, y, width, height in pixels

MARGIN_FRACTION = 0.1  # of the page's shorter side: a frame, or a cut-off neighbour, is in there
BAND_FRACTION = 0.12  # of the page's shorter side: so near to an edge, a bar is part of a frame
INSIDE_FRACTION = 0.15  # of a frame's ink, which something inside it has at least


@dataclass(frozen=True, eq=False)
class Components:
    """Connected pieces of ink; row 0 of each array, label 0, is the ground.

    Parameters
    ----------
    labels : int32, shape (H, W)
        Which piece each pixel belongs to.
    boxes : int32, shape (n, 4)
        x, y, width, height in pixels.
    ink : float64, shape (n,)
        Each piece's sum of contrast.
    margin_ink : float64, shape (n,)
        That part of it which lies in the page's margin.
    """

    labels: npt.NDArray[np.int32]
    boxes: Boxes
    ink: npt.NDArray[np.float64]
    margin_ink: npt.NDArray[np.float64]


def connected_components(mask: Mask, contrast: Grey) -> Components:
    """Part the ink into connected pieces (pixels that touch at a side or a corner).

    Parameters
    ----------
    mask : bool, shape (H, W)
        Where ink is.
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the ground.

    Returns
    -------
    Components
        The pieces and their measures; label 0 is the ground.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    height, width = mask.shape
    margin = round(MARGIN_FRACTION * min(height, width))
    in_margin = np.ones(mask.shape, np.bool_)
    in_margin[margin : height - margin, margin : width - margin] = False
    of_ink = np.flatnonzero(mask)  # few pixels: much quicker than a sum over the whole page
    label, amount = labels.ravel()[of_ink], contrast.ravel()[of_ink].astype(np.float64)
    ink = np.bincount(label, amount, count).astype(np.float64, copy=False)
    amount_in_margin = amount * in_margin.ravel()[of_ink]
    margin_ink = np.bincount(label, amount_in_margin, count).astype(np.float64, copy=False)
    return Components(labels, stats[:, :4], ink, margin_ink)


def clutter(components: Components) -> Mask:
    """Tell ground, frames, cut-off neighbours and rules from digits, which may reach the edge.

    Parameters
    ----------
    components
        The pieces of ink of a page.

    Returns
    -------
    bool, shape (n,)
        True for what is no writing.
    """
    height, width = components.labels.shape
    x, y, w, h = components.boxes.T  # (n,) each
    at_edge = (x == 0) | (y == 0) | (x + w == width) | (y + h == height)
    depth = np.minimum(np.minimum(x + w, y + h), np.minimum(width - x, height - y))
    long = np.maximum(w, h) > 3 * np.minimum(w, h)
    in_band = long & (depth < BAND_FRACTION * min(height, width))
    fills = (w > 0.9 * width) & (h > 0.9 * height)
    in_margin = components.margin_ink > 0.7 * components.ink
    level = (w > 0.95 * width) & (h < 0.15 * height)
    upright = (h > 0.95 * height) & (w < 0.15 * width)
    found: Mask = (at_edge & ~fills & in_margin) | in_band | level | upright
    found[0] = True
    inside = np.where(found | fills, 0, components.ink).max(initial=0)
    return np.asarray(found | (fills & in_margin & (inside > INSIDE_FRACTION * components.ink)))


def is_side_of_frame(box: npt.NDArray[np.int32], page_shape: tuple[int, ...]) -> bool:
    """Tell a part of a frame that was cut off from the digit that touches it.

    Parameters
    ----------
    box : int32, shape (4,)
        x, y, width, height of a piece.
    page_shape
        Height and width of the page.

    Returns
    -------
    bool
        True for a bar along an edge, or from one edge to the other.
    """
    height, width = page_shape
    x, y, w, h = (int(side) for side in box)
    band = BAND_FRACTION * min(height, width)
    upright = h > 0.6 * height and w < band and (x < band / 2 or x + w > width - band / 2)
    level = w > 0.3 * width and h < band and (y < band / 2 or y + h > height - band / 2)
    across = w > 0.9 * width and h < 0.15 * height
    down = h > 0.9 * height and w < 0.15 * width
    is_strip = width >= 1.5 * height  # where an upright bar as high as the page may be a 1
    return level or across or ((upright or down) and not is_strip)


def extent(boxes: Boxes) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of all boxes together."""
    x, y = boxes[:, :2].min(axis=0)
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    return int(x), int(y), int(right), int(bottom)
