"""Grey pages as the finder and the line reader see them: contrast to the surrounding paper."""

import cv2
import numpy as np
import numpy.typing as npt

from ml.digits import Grey

SIGMA = 20.0  # pixels; the surroundings of a pixel
COARSE = 4  # they are estimated at a fraction of the size
_PEAK_PERCENTILE = 99.5
_PEAK_DEVIATIONS = 3.5  # standard deviations between paper and ink of a page with some ink
_MIN_DEVIATION = 4.0  # grey levels; weaker contrast is noise
_LIMIT = 5.0  # standard deviations


def local_contrast(page: Grey) -> npt.NDArray[np.float32]:
    """Compare each pixel with its surroundings, in units of their contrast.

    By the larger of the local and the page-wide contrast: otherwise blank paper, whose contrast is
    noise, would look full of ink.

    Parameters
    ----------
    page : uint8, shape (H, W)
        Grey, ink dark or light.

    Returns
    -------
    float32, shape (H, W)
        Above 0 where darker than around, from -2 to 2.
    """
    height, width = page.shape
    sigma = SIGMA / COARSE
    size = max(1, -(-width // COARSE)), max(1, -(-height // COARSE))
    small = cv2.resize(page, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    blurred = cv2.GaussianBlur(small, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    around = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    darker = around - page
    squares = cv2.resize(darker * darker, size, interpolation=cv2.INTER_AREA)
    deviation = np.sqrt(cv2.GaussianBlur(squares, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    peak = np.percentile(np.abs(darker[::2, ::2]), _PEAK_PERCENTILE) / _PEAK_DEVIATIONS
    np.maximum(deviation, peak, out=deviation)
    deviation += _MIN_DEVIATION
    local = darker / cv2.resize(deviation, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(local, -_LIMIT, _LIMIT, out=local) / np.float32(2.5))
