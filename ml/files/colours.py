"""From the colours of any picture to grey: ink and ground stay apart."""

import math

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's own conversion to grey
_SAMPLE_SIDE = 96  # pixels a side looked at to judge the colours of a picture
_OWN_CONTRAST = 64  # grey levels by which what can be seen of a picture shows ink of its own


def to_rgb_or_grey(image: Image.Image) -> Image.Image:
    """Bring any mode to ``L`` (8-bit grey) or ``RGB``.

    Parameters
    ----------
    image
        Of any mode, loaded.

    Returns
    -------
    Image.Image
        What was transparent lies over the ground on which the ink can be seen.
    """
    if image.has_transparency_data:
        return _over_ground(image if image.mode == "RGBA" else image.convert("RGBA"))
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "LAB":  # its first channel is the lightness
        return image.getchannel(0)
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(deep: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale 16-bit, 32-bit or float grey to 8 bits by the range of numbers that it uses.

    The range is the smallest of 1 bit, 8 bits, 9 bits … that holds the numbers, not the least and
    greatest number themselves: the slight noise of a blank page must stay slight.
    """
    grey = deep.astype(deep.dtype.newbyteorder("="), copy=False)  # (H, W) as OpenCV takes it
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    low = min(0.0, float(grey.min()))
    span = float(grey.max()) - low
    white = 1.0 if span <= 1 else 2.0 ** max(8, math.ceil(math.log2(span + 1))) - 1
    return np.asarray(cv2.convertScaleAbs(grey, alpha=255 / white, beta=-low * 255 / white))


def _over_ground(image: Image.Image) -> Image.Image:
    """Lay an RGBA image over the ground on which its ink can be seen."""
    sample = _sample(image).reshape(-1, 4).astype(np.float64)  # (n, 4)
    alpha = sample[:, 3]
    visible = sample[(alpha > 0) & (alpha >= alpha.max() / 2), :3] @ _LUMA  # (m,)
    ground = 255
    if visible.size:
        low, middle, high = np.percentile(visible, (5, 50, 95))
        if high - low > _OWN_CONTRAST:  # paper and ink are both there; only a margin is missing
            ground = round(middle)
        elif middle >= 128:
            ground = 0
    flat = Image.new("RGB", image.size, (ground, ground, ground))
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def to_grey(image: Image.Image) -> Image.Image:
    """Turn colours into grey so that ink and ground stay apart.

    Ordinarily that is luma. Where luma hardly tells the colours apart (red on a green of the same
    lightness), it is the principal axis of the colours, by principal component analysis.

    Parameters
    ----------
    image
        Mode ``RGB``.

    Returns
    -------
    Image.Image
        Mode ``L``.
    """
    colours = _sample(image).reshape(-1, 3).astype(np.float64)  # (n, 3)
    covariance = np.cov(colours, rowvar=False, bias=True)  # (3, 3)
    axis = np.linalg.eigh(covariance).eigenvectors[:, -1]
    axis = axis / np.abs(axis).sum()  # so that the greys span at most 255
    if axis @ covariance @ axis < 4 * (_LUMA @ covariance @ _LUMA):  # less than twice the spread
        return image.convert("L")
    offset = -255 * np.minimum(axis, 0).sum()
    return image.convert("L", (*axis.tolist(), float(offset)))


def _sample(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Take at most 96x96 pixels, evenly spread, as (h, w, channels)."""
    size = (min(image.width, _SAMPLE_SIDE), min(image.height, _SAMPLE_SIDE))
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))
