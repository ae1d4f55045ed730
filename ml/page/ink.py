"""Ink told from ground, whatever the page: dark or light ink, a shaded, grainy or ruled ground.

The steps are classical ones:

- polarity: which of dark and light deviates more from the median around it (broad strokes), or
  stands out more in thin strokes ("top-hat" and "black-hat")
- ground: grey-scale opening by an element wider than the strokes, taken from the page: the
  "top-hat" of J. Serra, "Image Analysis and Mathematical Morphology", 1982,
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

BROAD_SIDE = 64  # pixels: a ground under broad strokes is looked for on a page of this size,
FINE_SIDE = 256  # and one that is followed closely on a page of this size
LARGE_SIDE = 300  # pixels from which on strokes may be hairlines
FINE_FRACTION = 0.1  # of the page's longer side: so wide is the element of a fine ground,
FINE_HEIGHT_FRACTION = 0.35  # and at most so much of its shorter side
THIN_FRACTION = 0.025  # of the longer side: strokes up to so wide vote for their polarity
PLAIN_FRACTION = 0.75  # of a page: where so much is of one grey, that is the ground
MIN_CONTRAST = 16  # grey levels by which ink stands out of the ground at least,
NOISE_FACTOR = 4  # and how many standard deviations of the noise
MARGIN_FRACTION = 0.1  # of the page's shorter side: frames there do not say how black ink is
FEW_FRACTION = 0.003  # of the page: fewer pixels of ink do not say it either


def is_ink_dark(page: Grey) -> bool:
    """Tell whether ink is darker than its ground.

    Asked at two scales, as ink may be a broad stroke that fills the picture or a hairline on a
    large page; the scale that is surer decides.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey.

    Returns
    -------
    bool
        True for dark ink on a light ground.
    """
    votes = [_broad_vote(shrink(page, factor_to(page.shape, BROAD_SIDE)))]
    if max(page.shape) >= LARGE_SIDE:
        votes.append(_thin_vote(shrink(page, factor_to(page.shape, FINE_SIDE))))
    return max(votes, key=abs) >= 0


def ink_contrast(page: Grey, *, fine: bool) -> tuple[Grey, float]:
    """Measure by how much each pixel stands out of the ground.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink bright.
    fine
        Whether the ground is followed closely, under shadows and stains: only where strokes are
        thin. Otherwise they may be as wide as half the page.

    Returns
    -------
    contrast : uint8, shape (H, W)
        Grey levels; 0 is ground.
    noise : float
        The standard deviation of the ground, in grey levels.
    """
    small = shrink(page, factor_to(page.shape, FINE_SIDE if fine else BROAD_SIDE))
    if min(small.shape) < 2:  # one row or column has no ground around its ink
        return np.zeros_like(page), 0.0
    if fine:
        reach = (FINE_HEIGHT_FRACTION * min(small.shape), FINE_FRACTION * max(small.shape))
        wide = max(5, int(min(reach))) | 1
        soft = wide // 2 | 1
    else:
        wide, soft = max(small.shape) // 2 | 1, 5
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    ground = cv2.blur(cv2.morphologyEx(small, cv2.MORPH_OPEN, element), (soft, soft))
    ground = cv2.resize(ground, page.shape[::-1], interpolation=cv2.INTER_LINEAR)  # (H, W)
    deviation = cv2.subtract(page, ground, dtype=cv2.CV_16S)
    level, noise = _level_and_noise(deviation)
    return np.asarray(cv2.subtract(deviation, (level,), dtype=cv2.CV_8U)), noise


def ink_mask(contrast: Grey, noise: float, fraction: float) -> Mask:
    """Tell ink from ground, and from what is much fainter than the ink, such as printed squares.

    Parameters
    ----------
    contrast : uint8, shape (H, W)
        How much each pixel stands out of the ground, in grey levels.
    noise
        The standard deviation of the ground, in grey levels.
    fraction
        Of the ink's usual contrast, 0-1: what has more is ink.

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
    return contrast >= max(floor, fraction * usual)


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


def _broad_vote(page: Grey) -> float:
    """Return 1 for surely dark ink, -1 for surely light, by the median of the half page around."""
    usual = np.partition(page.ravel(), page.size // 2)[page.size // 2]
    ground = np.full_like(page, usual)
    near = cv2.inRange(page, float(usual) - MIN_CONTRAST, float(usual) + MIN_CONTRAST)
    # Of a plain page that is the median everywhere, and quicker to have.
    if cv2.countNonZero(near) < PLAIN_FRACTION * page.size:
        half = max(page.shape) // 2
        padded = cv2.copyMakeBorder(page, half, half, half, half, cv2.BORDER_REFLECT)
        ground = cv2.medianBlur(padded, 2 * half + 1)[half:-half, half:-half]
    # Of what is darker than the ground, and of what is lighter, the sum of squares.
    dark = cv2.norm(cv2.subtract(ground, page), cv2.NORM_L2SQR)
    light = cv2.norm(cv2.subtract(page, ground), cv2.NORM_L2SQR)
    return (dark - light) / max(1.0, dark + light)


def _thin_vote(page: Grey) -> float:
    """Return 0.95 for surely dark ink, -0.95 for surely light, by how much thin strokes show."""
    side = max(5, int(THIN_FRACTION * max(page.shape))) | 1
    element = np.ones((side, side), np.uint8)
    dark, light = (
        _energy(cv2.morphologyEx(page, hat, element))
        for hat in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    )
    return 0.95 * (dark - light) / max(1000.0, dark + light)


def _energy(hat: Grey) -> float:
    """Return the sum of squares of what stands out of the page's own texture."""
    floor = max(MIN_CONTRAST, 1.5 * NOISE_FACTOR * float(np.median(hat)))
    return float(np.sum(np.square(np.maximum(hat.astype(np.float32) - floor, 0))))


def _level_and_noise(deviation: npt.NDArray[np.int16]) -> tuple[float, float]:
    """Estimate mean and standard deviation of the ground's deviation, taken as normal.

    By its lower deciles 1 and 3, as ink fills the upper ones.
    """
    sample = np.ravel(deviation)[:: max(1, deviation.size // 65536)]
    low, high = len(sample) // 10, 3 * len(sample) // 10
    deciles = np.partition(sample, (low, high))
    noise = float(deciles[high] - deciles[low]) / (1.2816 - 0.5244)
    return float(deciles[high]) + 0.5244 * noise, noise
