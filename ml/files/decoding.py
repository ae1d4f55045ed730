"""Decoding of uploaded files into pages: common image formats, PDF, and numbers as text.

Files are untrusted: the format is detected from the content rather than the name, the size is
checked in the header before any pixel is decoded, any decoder failure becomes a `PictureError`, and
what could take long or much memory is decoded in a process of its own (`ml.files.isolation`).
"""

from collections.abc import Iterator

from ml.errors import PictureError, gettext_noop
from ml.files.formats import has_signature
from ml.files.images import decode_image
from ml.files.isolation import Place, decode_isolated
from ml.files.numbers import decode_grids, decode_text
from ml.files.opening import is_plain, open_plain
from ml.files.pdf import decode_pdf, is_pdf
from ml.files.picture import DecodedPicture
from ml.files.side_data import without_side_data
from ml.timings import each_step


def decode(content: bytes, *, max_pixels: int) -> DecodedPicture:
    """Decode a file with one picture.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        Limit on width x height.

    Returns
    -------
    DecodedPicture
        Upright.

    Raises
    ------
    PictureError
        As `decode_pages`; ``too_many_pages`` if there is more than one.
    """
    return next(decode_pages(content, max_pixels=max_pixels, max_pages=1))


def is_decoded_here(content: bytes, *, max_pixels: int) -> bool:
    """Return whether a picture is decoded without a process of its own.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        As of `decode_pages`.

    Raises
    ------
    PictureError
        As `decode_pages`, if the header is enough to tell.
    """
    return has_signature(content) and is_plain(without_side_data(content), max_pixels=max_pixels)


def decode_pages(
    content: bytes, place: Place | None = None, /, *, max_pixels: int, max_pages: int
) -> Iterator[DecodedPicture]:
    """Decode the pages of a file of one of `ml.files.formats.FORMATS`.

    Pages are decoded one at a time, so memory is bounded by the largest. Animations yield their
    first frame.

    Parameters
    ----------
    content
        The whole file.
    place
        Taken if the file needs a process of its own.
    max_pixels
        Limit on width x height of a page, capped by Pillow's ``Image.MAX_IMAGE_PIXELS``
        (89 million).
    max_pages
        Limit on the pages; a file with more is refused before any is decoded.

    Yields
    ------
    DecodedPicture
        Upright; at least one.

    Raises
    ------
    PictureError
        ``empty_file``, ``unsupported_format``, ``too_many_pages``, ``too_many_pixels``,
        ``broken_file``, ``encrypted_file`` (PDF only), ``too_complex`` or ``wrong_pixels`` (text
        only).
    DecodingBusy
        If too many files that need a process of their own are decoded at the moment.
    """
    if not content:
        raise PictureError(
            "empty_file", gettext_noop("This file is empty. Choose a picture of a digit.")
        )
    limits = {"max_pixels": max_pixels, "max_pages": max_pages}
    if not has_signature(content):
        if is_pdf(content):
            return each_step("decode", decode_isolated(decode_pdf, content, place, **limits))
        text = decode_text(content)
        if text is not None:
            return decode_grids(text, max_pages=max_pages)
    content = without_side_data(content)
    image = open_plain(content, max_pixels=max_pixels)
    if image is not None:
        return each_step("decode", decode_image(content, image, **limits))
    return each_step("decode", decode_isolated(decode_image, content, place, **limits))
