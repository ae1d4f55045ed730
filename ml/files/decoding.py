"""From the bytes of a file to pages: any common picture format, PDF, and numbers as text.

Nothing that a stranger sends is trusted: the format is found from the content and not from a name,
the size is checked in the header before any pixel is decoded, and whatever a decoder stumbles over
becomes a `PictureError` with words for the person who sent the file.
"""

from collections.abc import Iterator

from ml.errors import PictureError
from ml.files.images import IMAGE_FORMATS, SIGNATURES, DecodedPicture, decode_image
from ml.files.numbers import decode_grids, decode_text
from ml.files.pdf import decode_pdf, is_pdf
from ml.timings import each_step

FORMATS = (*IMAGE_FORMATS, "PDF", "TEXT")


def decode(content: bytes, *, max_pixels: int) -> DecodedPicture:
    """Decode a file that holds one picture.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        The most pixels (width by height) that are decoded.

    Returns
    -------
    DecodedPicture
        The picture, upright.

    Raises
    ------
    PictureError
        As of `decode_pages`; ``too_many_pages`` where there is more than one.
    """
    return next(decode_pages(content, max_pixels=max_pixels, max_pages=1))


def decode_pages(content: bytes, *, max_pixels: int, max_pages: int) -> Iterator[DecodedPicture]:
    """Decode the pages of a PNG, JPEG, GIF, BMP, WebP, TIFF or PDF file, or of a text of numbers.

    One page is decoded at a time, so that a file of many pages takes no more memory than one of
    the largest of them. Of animations it is the first frame.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        The most pixels (width by height) that are decoded for a page; more than Pillow's own
        ``Image.MAX_IMAGE_PIXELS`` (89 million) never are.
    max_pages
        The most pages; a file with more is refused before any is decoded.

    Yields
    ------
    DecodedPicture
        A page, upright; there is at least one.

    Raises
    ------
    PictureError
        ``empty_file``, ``unsupported_format``, ``too_many_pages``, ``too_many_pixels``,
        ``broken_file``, ``encrypted_file`` or ``too_complex`` (of PDFs), ``wrong_pixels`` (of
        texts).
    """
    if not content:
        raise PictureError("empty_file", "This file is empty. Choose a picture of a digit.")
    limits = {"max_pixels": max_pixels, "max_pages": max_pages}
    if not content.startswith(SIGNATURES):
        if is_pdf(content):
            return each_step("decode", decode_pdf(content, **limits))
        text = decode_text(content)
        if text is not None:
            return decode_grids(text, max_pages=max_pages)
    return each_step("decode", decode_image(content, **limits))
