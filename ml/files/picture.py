"""A decoded picture: an upright grey page, and its preview."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from ml.files.colours import to_grey

PREVIEW_SIDE = 1024  # pixels of the longer side of a preview
_COPY_BYTES = 1_000_000  # copied at once: NumPy's own copy of a picture takes twice its size

# The transposition that undoes each EXIF orientation (tag 274; 1 is upright).
# https://exiftool.org/TagNames/EXIF.html
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A picture, or one page of a file, upright.

    Parameters
    ----------
    page : uint8, shape (height, width)
        Full size, grey, 0-255, ink dark or light as in the file; transparency is flattened onto a
        background that contrasts with the ink.
    image
        The preview: mode ``RGB``, scaled down so that no side exceeds `PREVIEW_SIDE`.
    format
        One of `ml.files.formats.FORMATS`.
    pages_left
        How many the file has after this one.
    """

    page: npt.NDArray[np.uint8]
    image: Image.Image
    format: str
    pages_left: int = 0

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.page.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.page.shape[0])


def make_picture(
    image: Image.Image, format_: str, orientation: int | None = None
) -> DecodedPicture:
    """Convert an image to an upright grey page and its preview.

    Parameters
    ----------
    image
        Mode ``L`` or ``RGB``.
    format_
        The format of the file.
    orientation
        EXIF's, 1-8; other values are ignored.

    Returns
    -------
    DecodedPicture
        The page and its preview.
    """
    grey = image if image.mode == "L" else to_grey(image)
    # Scale down before transposing: a full-size colour copy costs time and memory.
    preview = image.reduce(math.ceil(max(image.size) / PREVIEW_SIDE)).convert("RGB")
    if orientation in _UPRIGHT:
        grey = grey.transpose(_UPRIGHT[orientation])
        preview = preview.transpose(_UPRIGHT[orientation])
    return DecodedPicture(_as_array(grey), preview, format_)


def parts(image: Image.Image) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield some rows at a time."""
    width, height = image.size
    rows = max(1, _COPY_BYTES // width)
    for top in range(0, height, rows):
        yield np.asarray(image.crop((0, top, width, min(height, top + rows))))


def _as_array(grey: Image.Image) -> npt.NDArray[np.uint8]:
    page = np.empty(grey.size[::-1], np.uint8)
    top = 0
    for part in parts(grey):
        page[top : top + len(part)] = part
        top += len(part)
    return page
