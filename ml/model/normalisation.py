"""From one digit's ink to the 28x28 picture that the network knows, made as MNIST was made.

"The original black and white (bilevel) images from NIST were size normalized to fit in a 20x20
pixel box while preserving their aspect ratio. The resulting images contain grey levels as a result
of the anti-aliasing technique used by the normalization algorithm. The images were centered in a
28x28 image by computing the center of mass of the pixels": Y. LeCun, C. Cortes, C. J. C. Burges,
"The MNIST database of handwritten digits", http://yann.lecun.com/exdb/mnist/. Pens of MNIST are
2.3 pixels wide at that size (half of them 1.9 to 2.8, all but one in a hundred 1.2 to 4.1), so a
hairline on a large picture is thickened and a broad brush slimmed before it is shrunk.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import SIDE

DIGIT_SIDE = 20  # pixels of the box that the digit is fitted into
THINNEST, THICKEST = 1.6, 4.5  # pixels: strokes outside are brought there
FAINT = 12  # of 255: ink below it does not count for the box
GREY_LEVELS = (25, 230)  # what is between is neither ink nor ground,
FEW_GREYS = 0.05  # and with so little of it a picture is in black and white
STAIRS_BLUR = 0.5  # of its pixels, standard deviation,
STAIRS_ENLARGED = 4  # once it is so many times as large: corners come out round


def normalise(ink: npt.NDArray[np.uint8], *, narrowed: float = 1.0) -> npt.NDArray[np.uint8]:
    """Fit a digit into 20x20 and centre it by its mass in 28x28.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        The digit's ink alone, bright on 0, cropped to its box.
    narrowed
        How wide it is made, by how wide it is.

    Returns
    -------
    uint8, shape (28, 28)
        The digit as MNIST shows it, ink bright on 0; all 0 when there is no ink.
    """
    if max(ink.shape) < DIGIT_SIDE and _is_bilevel(ink):
        ink = _without_stairs(ink)
    scale = DIGIT_SIDE / max(ink.shape[0], narrowed * ink.shape[1])
    height = max(1, round(scale * ink.shape[0]))
    width = max(1, round(scale * narrowed * ink.shape[1]))
    ink = with_common_stroke(ink, scale)
    if (height, width) != ink.shape:  # shrunk by the mean of what falls together, enlarged smoothly
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
    """Cut ink out along its box, as `normalise` wants it.

    Parameters
    ----------
    ink : uint8, shape (H, W)
        Ink bright on 0.

    Returns
    -------
    uint8, shape (h, w)
        A view of it; all of it where there is no ink.
    """
    x, y, width, height = cv2.boundingRect((ink > FAINT).astype(np.uint8))
    return ink[y : y + height, x : x + width] if width else ink


def stroke_width(ink: npt.NDArray[np.uint8]) -> float:
    """Estimate the mean width of the strokes: twice their area by the length of their outlines.

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
    """Thicken or slim strokes that would be thinner or thicker, once scaled, than pens of MNIST.

    Only where the picture is shrunk: a pixel is too coarse a step otherwise.

    Parameters
    ----------
    ink : uint8, shape (h, w)
        Ink bright on 0.
    scale
        By how much it is going to be enlarged.

    Returns
    -------
    uint8, shape (h, w)
        The ink, its strokes as wide as wanted.
    """
    if scale >= 1:
        return ink
    width = stroke_width(ink)
    wanted = float(np.clip(width, THINNEST / scale, THICKEST / scale))
    step = round(wanted - width)
    if not width or not step:
        return ink
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(step) + 1, abs(step) + 1))
    return np.asarray(cv2.dilate(ink, element) if step > 0 else cv2.erode(ink, element))


def _is_bilevel(ink: npt.NDArray[np.uint8]) -> bool:
    """Tell a scan in black and white, whose edges are stairs, from one in grey."""
    between = int(np.count_nonzero((ink > GREY_LEVELS[0]) & (ink < GREY_LEVELS[1])))
    return between < FEW_GREYS * ink.size


def _without_stairs(ink: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Enlarge, and blur the edges by half a pixel: else stairs would be strokes of their own."""
    padded = cv2.copyMakeBorder(ink, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    size = (STAIRS_ENLARGED * padded.shape[1], STAIRS_ENLARGED * padded.shape[0])
    large = cv2.resize(padded, size, interpolation=cv2.INTER_NEAREST)
    return crop(np.asarray(cv2.GaussianBlur(large, (0, 0), STAIRS_ENLARGED * STAIRS_BLUR)))


def _place(centre: float, size: int) -> int:
    """Return the offset that brings the centre of mass to pixel 14, as in MNIST; all ink stays."""
    return min(max(round(SIDE / 2 - centre), 0), SIDE - size)
