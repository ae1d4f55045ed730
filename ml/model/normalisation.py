"""From one digit's ink to a 28x28 glyph, normalised as in MNIST.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20
pixel box while preserving their aspect ratio. The resulting images contain grey levels as a result
of the anti-aliasing technique used by the normalization algorithm. The images were centered in a
28x28 image by computing the center of mass of the pixels": Y. LeCun, C. Cortes, C. J. C. Burges,
"The MNIST database of handwritten digits", http://yann.lecun.com/exdb/mnist/. MNIST's strokes are
2.3 pixels wide at that size (half of them 1.9 to 2.8, 99 % 1.2 to 4.1), so hairlines on a large
picture are thickened, and broad strokes thinned, before it is scaled down.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import SIDE

DIGIT_SIDE = 20  # pixels; the digit is fitted into a box of this side
MIN_STROKE, MAX_STROKE = 1.6, 4.5  # pixels
FAINT = 12  # of 255: fainter ink does not count for the bounding box
GREY_LEVELS = (25, 230)  # between them a pixel is neither ink nor background
MAX_BILEVEL_GREYS = 0.05  # share of such pixels in a bilevel picture
SMOOTHING_SIGMA = 0.5  # pixels of the original
SMOOTHING_SCALE = 4  # upscaling before the blur, for round corners


def normalise(ink: npt.NDArray[np.uint8], *, narrowed: float = 1.0) -> npt.NDArray[np.uint8]:
    """Fit a digit into 20x20 and centre it by its mass in 28x28.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        The digit's ink alone, bright on 0, cropped to its bounding box.
    narrowed
        Horizontal scale factor.

    Returns
    -------
    uint8, shape (28, 28)
        As in MNIST, ink bright on 0; all 0 without ink.
    """
    if max(ink.shape) < DIGIT_SIDE and _is_bilevel(ink):
        ink = _smooth_edges(ink)
    scale = DIGIT_SIDE / max(ink.shape[0], narrowed * ink.shape[1])
    height = max(1, round(scale * ink.shape[0]))
    width = max(1, round(scale * narrowed * ink.shape[1]))
    ink = with_common_stroke(ink, scale)
    if (height, width) != ink.shape:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        ink = np.asarray(cv2.resize(ink, (width, height), interpolation=how))
    moments = cv2.moments(ink)
    if not moments["m00"]:
        return np.zeros((SIDE, SIDE), np.uint8)
    left = _place(moments["m10"] / moments["m00"], width)
    top = _place(moments["m01"] / moments["m00"], height)
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[top : top + height, left : left + width] = ink
    return picture


def crop(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Crop ink to its bounding box.

    Parameters
    ----------
    ink : uint8, shape (H, W)
        Ink bright on 0.

    Returns
    -------
    uint8, shape (h, w)
        A view; all of `ink` if it is blank.
    """
    x, y, width, height = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    return ink[y : y + height, x : x + width] if width else ink


def stroke_width(ink: npt.NDArray[np.uint8]) -> float:
    """Estimate the mean stroke width: twice the area divided by the length of the contours.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        Ink bright on 0.

    Returns
    -------
    float
        Pixels; 0 without ink.
    """
    strokes = np.pad(ink > 127, 1).astype(np.uint8)
    outlines, _ = cv2.findContours(strokes, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    length = sum(cv2.arcLength(outline, closed=True) for outline in outlines)
    return 2 * int(strokes.sum()) / length if length else 0.0


def with_common_stroke(ink: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    """Bring strokes to a width that is usual in MNIST once scaled.

    Only for downscaling: otherwise a pixel is too coarse a step.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        Ink bright on 0.
    scale
        Scale factor to be applied afterwards.

    Returns
    -------
    uint8, shape (h, w)
        The ink with thickened or thinned strokes.
    """
    if scale >= 1:
        return ink
    width = stroke_width(ink)
    wanted = float(np.clip(width, MIN_STROKE / scale, MAX_STROKE / scale))
    step = round(wanted - width)
    if not width or not step:
        return ink
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(step) + 1, abs(step) + 1))
    return np.asarray(cv2.dilate(ink, element) if step > 0 else cv2.erode(ink, element))


def _is_bilevel(ink: npt.NDArray[np.uint8]) -> bool:
    """Return whether a scan is in black and white, with jagged edges."""
    between = int(np.count_nonzero((ink > GREY_LEVELS[0]) & (ink < GREY_LEVELS[1])))
    return between < MAX_BILEVEL_GREYS * ink.size


def _smooth_edges(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Upscale and blur by half a pixel: large steps would look like strokes."""
    padded = cv2.copyMakeBorder(ink, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    size = (SMOOTHING_SCALE * padded.shape[1], SMOOTHING_SCALE * padded.shape[0])
    large = cv2.resize(padded, size, interpolation=cv2.INTER_NEAREST)
    return crop(np.asarray(cv2.GaussianBlur(large, (0, 0), SMOOTHING_SCALE * SMOOTHING_SIGMA)))


def _place(centre: float, size: int) -> int:
    """Return the offset that centres the mass on pixel 14, keeping all ink inside."""
    return min(max(round(SIDE / 2 - centre), 0), SIDE - size)
