"""Conversion of any colours to grey that keeps ink and background apart."""

import math

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's own conversion to grey
_SAMPLE_SIDE = 96  # pixels; colours are judged by a sample of at most this side
_MIN_CONTRAST = 64  # grey levels; with more, the opaque part has both paper and ink


def to_rgb_or_grey(image: Image.Image) -> Image.Image:
    """Convert any mode to ``L`` (8-bit grey) or ``RGB``.

    Parameters
    ----------
    image
        Loaded, in any mode.

    Returns
    -------
    Image.Image
        Transparency is flattened onto a background that contrasts with the ink.
    """
    if image.has_transparency_data:
        return _flatten(image if image.mode == "RGBA" else image.convert("RGBA"))
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode == "LAB":  # its first channel is the lightness
        return image.getchannel(0)
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(deep: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scale 16-bit, 32-bit or float grey to 8 bits by the range in use.

    The range is the smallest of 1 bit, 8 bits, 9 bits … that holds all values, rather than their
    minimum and maximum, which would amplify the noise of a blank page.
    """
    grey = deep.astype(deep.dtype.newbyteorder("="), copy=False)  # (H, W) as OpenCV takes it
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey, nan=0.0, posinf=0.0, neginf=0.0)
    low = min(0.0, float(grey.min()))
    span = float(grey.max()) - low
    white = 1.0 if span <= 1 else 2.0 ** max(8, math.ceil(math.log2(span + 1))) - 1
    return np.asarray(cv2.convertScaleAbs(grey, alpha=255 / white, beta=-low * 255 / white))


def _flatten(image: Image.Image) -> Image.Image:
    """Flatten an RGBA image onto a background that contrasts with its ink."""
    sample = _sample(image).reshape(-1, 4).astype(np.float64)  # (n, 4)
    alpha = sample[:, 3]
    visible = sample[(alpha > 0) & (alpha >= alpha.max() / 2), :3] @ _LUMA  # (m,)
    background = 255
    if visible.size:
        low, middle, high = np.percentile(visible, (5, 50, 95))
        if high - low > _MIN_CONTRAST:  # only a margin is transparent
            background = round(middle)
        elif middle >= 128:
            background = 0
    flat = Image.new("RGB", image.size, (background, background, background))
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def to_grey(image: Image.Image) -> Image.Image:
    """Convert colours to grey so that ink and background stay apart.

    Usually by luma. Where luma hardly separates the colours (red on a green of the same
    lightness), by their first principal component.

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
    if axis @ covariance @ axis < 4 * (_LUMA @ covariance @ _LUMA):  # < 2x the deviation
        return image.convert("L")
    offset = -255 * np.minimum(axis, 0).sum()
    return image.convert("L", (*axis.tolist(), float(offset)))


def _sample(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Sample at most 96x96 evenly spaced pixels, (h, w, channels)."""
    size = (min(image.width, _SAMPLE_SIDE), min(image.height, _SAMPLE_SIDE))
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))
