"""Ink and background of a whole picture: polarity, contrast and a threshold.

- polarity: which of dark and light deviates more from the median around it (broad strokes), or
  stands out more in thin strokes ("top-hat" and "black-hat")
- background: grey-scale opening by an element wider than the strokes: the "top-hat" of J. Serra,
  "Image Analysis and Mathematical Morphology", 1982,
  https://docs.opencv.org/4.x/d9/d61/tutorial_py_morphological_ops.html
- threshold: N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Transactions
  on Systems, Man, and Cybernetics 9(1), 1979.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey, Mask

cv2.setNumThreads(1)  # a worker has threads of its own: one picture, one core

BROAD_SIDE = 64  # pixels: a page is shrunk to this size to see the background of broad strokes,
FINE_SIDE = 256  # and to this size to see thin ones
LARGE_SIDE = 300  # pixels; on larger pages strokes may be hairlines
THIN_FRACTION = 0.025  # of the longer side: strokes up to so wide count as thin
PLAIN_FRACTION = 0.75  # of a page: a grey that so much of it has is the background
MIN_CONTRAST = 16  # grey levels between background and ink, at least,
NOISE_FACTOR = 4  # and standard deviations of the noise
MARGIN_FRACTION = 0.1  # of the shorter side: frames there do not tell how black ink is
FEW_FRACTION = 0.003  # of the page: fewer pixels of ink do not either
INK_FRACTION = 0.4  # of the ink's usual contrast: what has more is ink


def is_ink_dark(page: Grey) -> bool:
    """Return whether ink is darker than the background.

    Measured at two scales, since ink may be a broad stroke that fills the picture or a hairline on
    a large page; the scale with the clearer result decides.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey.

    Returns
    -------
    bool
        True for dark ink on a light background.
    """
    votes = [_broad_vote(shrink(page, factor_to(page.shape, BROAD_SIDE)))]
    if max(page.shape) >= LARGE_SIDE:
        votes.append(_thin_vote(shrink(page, factor_to(page.shape, FINE_SIDE))))
    return max(votes, key=abs) >= 0


def ink_contrast(page: Grey) -> tuple[Grey, float]:
    """Measure how much each pixel stands out of the background.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink bright; strokes up to half as wide as the page.

    Returns
    -------
    contrast : uint8, shape (H, W)
        Grey levels; 0 is background.
    noise : float
        The standard deviation of the background, in grey levels.
    """
    small = shrink(page, factor_to(page.shape, BROAD_SIDE))
    if min(small.shape) < 2:  # one row or column has no background around its ink
        return np.zeros_like(page), 0.0
    wide = max(small.shape) // 2 | 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    background = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_OPEN, element), (5, 5))
    background = cv2.resize(background, page.shape[::-1], interpolation=cv2.INTER_LINEAR)  # (H, W)
    deviation = cv2.subtract(page, background, dtype=cv2.CV_16S)
    level, noise = _level_and_noise(deviation)
    return np.asarray(cv2.subtract(deviation, (level,), dtype=cv2.CV_8U)), noise


def ink_mask(contrast: Grey, noise: float) -> Mask:
    """Separate ink from the background.

    Parameters
    ----------
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the background, in grey levels.
    noise
        The standard deviation of the background, in grey levels.

    Returns
    -------
    bool, shape (H, W)
        Where ink is.
    """
    floor = max(MIN_CONTRAST, NOISE_FACTOR * noise)
    margin = round(MARGIN_FRACTION * min(contrast.shape))
    height, width = contrast.shape
    middle = contrast[margin : height - margin, margin : width - margin]
    candidates = middle[middle >= floor]
    if candidates.size < FEW_FRACTION * contrast.size:
        candidates = contrast[contrast >= floor]
    if not candidates.size:
        return np.zeros(contrast.shape, np.bool_)
    # Otsu on the candidates alone: a thin digit is too small a part of a page to count in a whole.
    level, _ = cv2.threshold(candidates[np.newaxis], 0, 255, cv2.THRESH_OTSU)
    usual = float(candidates[candidates >= level].mean())
    return contrast >= max(floor, INK_FRACTION * usual)


def percentile(values: Grey, percent: float) -> float:
    """Return what `np.percentile` does, which takes longer than all else for the ink of a digit.

    Parameters
    ----------
    values : uint8, shape (n,)
        At least one.
    percent
        0-100.
    """
    position = (values.size - 1) * percent / 100
    below = int(position)
    above = min(below + 1, values.size - 1)
    parted = np.partition(values, (below, above))
    low, high = float(parted[below]), float(parted[above])
    return low + (high - low) * (position - below)


def shrink(page: Grey, factor: int) -> Grey:
    """Shrink a page by an integer factor, averaging.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey.
    factor
        Pixels of a row, and of a column, that become one.

    Returns
    -------
    uint8, shape (H // factor, W // factor), at least (1, 1)
        The smaller page, without the remainder at the right and lower edges.
    """
    if factor == 1:
        return page
    height, width = (max(1, side // factor) for side in page.shape)
    whole = page[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def factor_to(page_shape: tuple[int, ...], longest: int) -> int:
    """Return the integer factor by which to shrink a page to a size.

    Parameters
    ----------
    page_shape
        Height and width of the page, in pixels.
    longest
        Maximum of a side afterwards, in pixels.

    Returns
    -------
    int
        1 where the page is small enough.
    """
    return math.ceil(max(page_shape) / longest)


def _broad_vote(page: Grey) -> float:
    """Return 1 for certainly dark ink, -1 for light: by the median of the half page around."""
    usual = np.partition(page.ravel(), page.size // 2)[page.size // 2]
    background = np.full_like(page, usual)
    near = cv2.inRange(page, float(usual) - MIN_CONTRAST, float(usual) + MIN_CONTRAST)
    # On a plain page that is the median everywhere, and faster.
    if cv2.countNonZero(near) < PLAIN_FRACTION * page.size:
        half = max(page.shape) // 2
        padded = cv2.copyMakeBorder(page, half, half, half, half, cv2.BORDER_REFLECT)
        background = cv2.medianBlur(padded, 2 * half + 1)[half:-half, half:-half]
    # Sums of squares of what is darker, and of what is lighter, than the background.
    dark = cv2.norm(cv2.subtract(background, page), cv2.NORM_L2SQR)
    light = cv2.norm(cv2.subtract(page, background), cv2.NORM_L2SQR)
    return (dark - light) / max(1.0, dark + light)


def _thin_vote(page: Grey) -> float:
    """Return 0.95 for certainly dark ink, -0.95 for light: by how much thin strokes stand out."""
    side = max(5, int(THIN_FRACTION * max(page.shape))) | 1
    element = np.ones((side, side), np.uint8)
    dark, light = (
        _energy(cv2.morphologyEx(page, hat, element))
        for hat in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    return 0.95 * (dark - light) / max(1000.0, dark + light)


def _energy(hat: Grey) -> float:
    """Return the sum of squares of what exceeds the page's own texture."""
    floor = max(MIN_CONTRAST, 1.5 * NOISE_FACTOR * float(np.median(hat)))
    return float(np.sum(np.square(np.maximum(hat.astype(np.float32) - floor, 0))))


def _level_and_noise(deviation: npt.NDArray[np.int16]) -> tuple[float, float]:
    """Estimate mean and standard deviation of the background, taken as normal.

    By its lower deciles 1 and 3, as ink fills the upper ones.
    """
    sample = np.ravel(deviation)[:: max(1, deviation.size // 65536)]
    low, high = len(sample) // 10, 3 * len(sample) // 10
    deciles = np.partition(sample, (low, high))
    noise = float(deciles[high] - deciles[low]) / (1.2816 - 0.5244)
    return float(deciles[high]) + 0.5244 * noise, noise
