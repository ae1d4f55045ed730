"""Ink told from ground, whatever the page: dark or light ink, a shaded, grainy or ruled ground.

The steps are classical ones:

- ground: grey-scale opening by an element wider than any stroke, taken from the page: the "top-hat"
  of J. Serra, "Image Analysis and Mathematical Morphology", 1982,
  https://docs.opencv.org/4.x/d9/d61/tutorial_py_morphological_ops.html
- threshold: N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Transactions
  on Systems, Man, and Cybernetics 9(1), 1979
- rules: opening by a long line.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

cv2.setNumThreads(1)  # a worker has threads of its own: one picture, one core

GROUND_SIDE = 64  # pixels: the ground changes slowly and is looked for on a page of this size
MIN_CONTRAST = 16  # grey levels by which ink stands out of the ground at least,
NOISE_FACTOR = 4  # and how many standard deviations of the noise
INK_FRACTION = 0.4  # of the ink's usual contrast: what has more is ink
RULING_SIDE = 128  # pixels: straight lines are looked for on a page of this size;
RULING_FRACTION = 0.9  # they run along this much of the page's side


def is_ink_dark(page: Grey) -> bool:
    """Tell whether ink is darker than its ground: whether dark or light deviates more from it.

    Parameters
    ----------
    page : uint8, shape (H, W)
        A small page; the ground is the median of the half page around each pixel.

    Returns
    -------
    bool
        True for dark ink on a light ground.
    """
    half = max(page.shape) // 2
    padded = cv2.copyMakeBorder(page, half, half, half, half, cv2.BORDER_REFLECT)
    ground = cv2.medianBlur(padded, 2 * half + 1)[half:-half, half:-half]
    deviation = np.subtract(page, ground, dtype=np.float32)
    return bool(np.sum(deviation * np.abs(deviation)) <= 0)


def ink_contrast(page: Grey) -> tuple[Grey, float]:
    """Measure by how much each pixel stands out of the ground in the direction of ink.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.

    Returns
    -------
    contrast : uint8, shape (H, W)
        Grey levels; 0 is ground.
    noise : float
        The standard deviation of the ground, in grey levels.
    """
    small = shrink(page, factor_to(page.shape, GROUND_SIDE))
    if min(small.shape) < 2:
        return np.zeros_like(page), 0.0
    if is_ink_dark(small):
        page, small = cv2.bitwise_not(page), cv2.bitwise_not(small)
    wide = max(small.shape) // 2 | 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    ground = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_OPEN, element), (5, 5))
    ground = cv2.resize(ground, page.shape[::-1], interpolation=cv2.INTER_LINEAR)  # (H, W)
    deviation = cv2.subtract(page, ground, dtype=cv2.CV_16S)
    level, noise = _level_and_noise(deviation)
    return np.asarray(cv2.subtract(deviation, (level,), dtype=cv2.CV_8U)), noise


def ink_mask(contrast: Grey, noise: float) -> Mask:
    """Tell ink from ground, and from what is much fainter than the ink, such as printed squares.

    Parameters
    ----------
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the ground, in grey levels.
    noise
        The standard deviation of the ground, in grey levels.

    Returns
    -------
    bool, shape (H, W)
        Where ink is.
    """
    floor = max(MIN_CONTRAST, NOISE_FACTOR * noise)
    candidates = contrast[contrast >= floor]
    if not candidates.size:
        return np.zeros(contrast.shape, np.bool_)
    # Otsu on the candidates alone: a thin digit is too small a part of a page to count in a whole.
    level, _ = cv2.threshold(candidates[np.newaxis], 0, 255, cv2.THRESH_OTSU)
    usual = float(candidates[candidates >= level].mean())
    return contrast >= max(floor, INK_FRACTION * usual)


def rulings(mask: Mask) -> Mask:
    """Find straight level or upright lines (nearly) across the page: rules, squares, frames.

    Parameters
    ----------
    mask : bool, shape (H, W)
        Where ink is.

    Returns
    -------
    bool, shape (H, W)
        Where such lines are, with a pixel or so around them.
    """
    small = shrink(mask.astype(np.uint8) * 255, factor_to(mask.shape, RULING_SIDE))
    height, width = small.shape
    level = np.ones((1, round(width * RULING_FRACTION)), np.uint8)
    upright = np.ones((round(height * RULING_FRACTION), 1), np.uint8)
    found = cv2.bitwise_or(_runs(small, level), _runs(small, upright))
    return np.asarray(cv2.resize(found, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)) > 0


def shrink(page: Grey, factor: int) -> Grey:
    """Shrink a page by a whole factor, to the mean of what falls together: that is fast.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey.
    factor
        How many pixels of a row, and of a column, become one.

    Returns
    -------
    uint8, shape (H // factor, W // factor), at least (1, 1)
        The smaller page; a rest at the right and lower edges is left out.
    """
    if factor == 1:
        return page
    height, width = (max(1, side // factor) for side in page.shape)
    whole = page[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def factor_to(page_shape: tuple[int, ...], longest: int) -> int:
    """Return the whole factor by which a page is shrunk so that no side is longer than that.

    Parameters
    ----------
    page_shape
        Height and width of the page, in pixels.
    longest
        The most pixels that a side has afterwards.

    Returns
    -------
    int
        1 where the page is small enough.
    """
    return math.ceil(max(page_shape) / longest)


def _runs(page: Grey, line: Grey) -> Grey:
    """Find straight runs of a line's length; they may slant by a pixel."""
    across = np.ones(line.shape[::-1], np.uint8)[:3, :3]
    thick = cv2.dilate(page, across)
    # Nothing goes on beyond the page: else half a line that ends at its edge would do.
    found = cv2.morphologyEx(
        thick, cv2.MORPH_OPEN, line, borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(found)


def _level_and_noise(deviation: npt.NDArray[np.int16]) -> tuple[float, float]:
    """Estimate mean and standard deviation of the ground's deviation, taken as normal.

    By its lower deciles 1 and 3, as ink fills the upper ones.
    """
    sample = np.ravel(deviation)[:: max(1, deviation.size // 65536)]
    low, high = len(sample) // 10, 3 * len(sample) // 10
    deciles = np.partition(sample, (low, high))
    noise = float(deciles[high] - deciles[low]) / (1.2816 - 0.5244)
    return float(deciles[high]) + 0.5244 * noise, noise
