"""Decoding of image files by Pillow: `ml.files.formats.PICTURES`."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from PIL import Image

from ml.errors import broken_file
from ml.files import tiff
from ml.files.colours import to_rgb_or_grey
from ml.files.limits import check_size
from ml.files.opening import open_image, orientation
from ml.files.picture import DecodedPicture, make_picture, parts


def decode_image(
    content: bytes, image: Image.Image | None = None, /, *, max_pixels: int, max_pages: int
) -> Iterator[DecodedPicture]:
    """Decode all pages of a TIFF, or the first frame of another image file.

    Parameters
    ----------
    content
        The whole file.
    image
        As `ml.files.opening.open_plain` returned it, if it did.
    max_pixels
        Limit on width x height of a page.
    max_pages
        Limit on the pages of a TIFF.

    Yields
    ------
    DecodedPicture
        One per page.

    Raises
    ------
    PictureError
        ``unsupported_format``, ``too_many_pixels``, ``too_many_pages`` or ``broken_file``.
    """
    image = image or open_image(content, max_pixels=max_pixels)
    if image.format != "TIFF":
        yield _decoded(image, content, orientation(content, image))
        return
    pages = tiff.pages(image, max_pages)
    for number, page in enumerate(pages, 1):
        image.seek(page)
        size = tiff.square_dots(image)
        check_size(image, max_pixels, size)
        # Pillow has turned it upright already.
        picture = _decoded(image, content, None, size, page=page if len(pages) > 1 else None)
        yield replace(picture, pages_left=len(pages) - number)


def _decoded(
    image: Image.Image,
    content: bytes,
    orientation: int | None,
    size: tuple[int, int] | None = None,
    *,
    page: int | None = None,
) -> DecodedPicture:
    """Load the current frame of an image, at another size if one is given."""
    try:
        image = _load(image, content)
        loaded = to_rgb_or_grey(image)
    except MemoryError:
        raise
    except Exception as e:  # decoders raise anything at all on hostile files
        raise broken_file(page) from e
    if size and size != loaded.size:
        loaded = loaded.resize(size, Image.Resampling.BILINEAR)
    return make_picture(loaded, str(image.format), orientation)


def _load(image: Image.Image, content: bytes) -> Image.Image:
    """Load the pixels, also of a JPEG that lacks nothing but its end mark."""
    if image.format == "TIFF":
        tiff.ignore_side_tags(image)
    try:
        image.load()
    except OSError:
        if image.format != "JPEG":
            raise
        image.close()  # frees what was decoded: one is in memory at a time
        # Bits after the last pixel change nothing. Where a pixel is missing, they become one.
        scans = content.rstrip(b"\xff")
        checksums = set()
        for end in (b"\x55" * 256 + b"\xff\xd9", b"\xff\xd9"):
            image = Image.open(io.BytesIO(scans + end), formats=["JPEG"])
            checksums.add(_checksum(image))
        if len(checksums) > 1:
            raise
    return image


def _checksum(image: Image.Image) -> int:
    checksum = 0
    for part in parts(image):
        checksum = zlib.crc32(np.ascontiguousarray(part).data, checksum)
    return checksum
