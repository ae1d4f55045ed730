"""Previews of uploads as WebP, and glyphs as PNG."""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_SIDE = 1024  # pixels
MAX_BYTES = 64_000
QUALITIES = (80, 60, 40, 20)
HOPELESS = 6  # times too many bytes: then none of the qualities will do
# For pictures this small, lossless takes half the time and fewer bytes than a JPEG's header.
LOSSLESS_SIDE = 32


def preview_of(image: Image.Image) -> bytes:
    """Return an upright WebP without metadata, at most 1,024 pixels a side and 64 kB."""
    small = image.convert("RGB") if image.mode not in {"RGB", "L"} else image
    if max(small.size) <= LOSSLESS_SIDE:
        return _webp(small, lossless=True, quality=0, method=1)
    if max(small.size) > MAX_SIDE:
        small = small.copy() if small is image else small
        small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    while True:
        for quality in QUALITIES:
            # Method 2 takes a third of the default's time for slightly more bytes.
            encoded = _webp(small, quality=quality, method=2)
            if len(encoded) <= MAX_BYTES:
                return encoded
            if len(encoded) > HOPELESS * MAX_BYTES:
                break
        small = small.reduce(2)


def _webp(image: Image.Image, **options: int) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "WEBP", **options)
    return encoded.getvalue()


def png_of(glyph: npt.NDArray[np.uint8]) -> bytes:
    """Encode a glyph, uint8 (28, 28), as PNG."""
    _, encoded = cv2.imencode(".png", glyph)
    return encoded.tobytes()
