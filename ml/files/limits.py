"""How large a picture may be, and how much memory it takes to decode it."""

import numpy as np
from PIL import Image

from ml.errors import PictureError, gettext_noop, too_many_pixels

MAX_DECODED_BYTES = 360_000_000
# What decoding takes by Pillow's mode, in bytes per pixel, with conversions and copies.
_BYTES_PER_PIXEL = {"1": 3, "L": 2, "I;16": 8, "P": 7, "RGB": 6, "RGBA": 10, "CMYK": 10}
_BYTES_PER_PIXEL_OTHERWISE = 16
_BYTES_PER_PIXEL_OF_WEBP = 18  # libwebp keeps two frames
# Other decoders keep copies too, as their planes or, in OpenJPEG, as integers.
_FACTOR = {"HEIF": 1.2, "AVIF": 1.7, "JPEG2000": 3.3}
_BYTES_PER_ROW = 8  # Pillow's pointers
# A JPEG of several scans is kept as coefficients until the last one.
_BYTES_PER_COEFFICIENT = 2


def check_size(
    image: Image.Image, max_pixels: int, size: tuple[int, int] | None = None, *, scans: int = 0
) -> None:
    """Refuse what is too large, also once it is stretched to ``size``."""
    width, height = size or image.size
    if width * height > max_pixels:
        raise too_many_pixels(
            gettext_noop(
                "This picture of %(width)s x %(height)s pixels is too large: the limit is "
                "%(limit)s pixels (width x height)."
            ),
            max_pixels,
            width=width,
            height=height,
        )
    if bytes_to_decode(image, scans) > MAX_DECODED_BYTES:
        raise PictureError(
            "too_many_pixels",
            gettext_noop(
                "This picture of %(width)s x %(height)s pixels takes too much memory to decode. "
                "Scale it down, or save it as a grey PNG or JPEG."
            ),
            width=width,
            height=height,
        )


def bytes_to_decode(image: Image.Image, scans: int = 0) -> int:
    """Estimate the memory for decoding from the header, and the number of scans of a JPEG."""
    per_pixel: float = _BYTES_PER_PIXEL.get(image.mode, _BYTES_PER_PIXEL_OTHERWISE)
    if image.format == "WEBP":
        per_pixel = _BYTES_PER_PIXEL_OF_WEBP
    per_pixel *= _FACTOR.get(str(image.format), 1)
    if scans > 1:
        per_pixel += _BYTES_PER_COEFFICIENT * _samples_per_pixel(image)
    return image.height * round(image.width * per_pixel + _BYTES_PER_ROW)


def _samples_per_pixel(image: Image.Image) -> float:
    """Return how many samples a JPEG has for each pixel: its colours may have fewer than pixels."""
    layers = getattr(image, "layer", None) or [(0, 1, 1, 0)]  # none where the header is damaged
    factors = np.array([layer[1:3] for layer in layers]).clip(1)
    return float(factors.prod(axis=1).sum() / factors.max(axis=0).prod())
