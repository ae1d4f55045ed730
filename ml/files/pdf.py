"""Rendering of PDF pages by PDFium.

PDFium has no limits of its own on time or memory, and it is not thread-safe
(https://pypdfium2.readthedocs.io/en/stable/python_api.html): `ml.files.isolation` runs it.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from ml.errors import (
    PictureError,
    broken_file,
    gettext_noop,
    too_many_pages,
    too_many_pixels,
)
from ml.files.picture import DecodedPicture, make_picture

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

MAX_SIDE = 2400  # pixels of a page: 5 mm on A4 are 40 pixels
MAX_PIXELS_PER_POINT = 300 / 72  # 300 dpi, as of a scanner
SIGNATURE = b"%PDF-"
SIGNATURE_WITHIN = 1024  # bytes, as in most PDF readers


def is_pdf(content: bytes) -> bool:
    """Return whether a file has the signature of a PDF."""
    return SIGNATURE in content[:SIGNATURE_WITHIN]


def decode_pdf(content: bytes, *, max_pixels: int, max_pages: int) -> Iterator[DecodedPicture]:
    """Render the pages of a PDF on white.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        Limit on width x height of rendered pages and of the pictures in them.
    max_pages
        Limit on the pages.

    Yields
    ------
    DecodedPicture
        One per page; no side exceeds `MAX_SIDE` pixels.

    Raises
    ------
    PictureError
        ``broken_file``, ``encrypted_file``, ``too_many_pages`` or ``too_many_pixels``.
    """
    document = _open(content)
    count = len(document)
    if count > max_pages:
        raise too_many_pages(
            gettext_noop("This PDF has %(count)s pages: at most %(most)s are read at once."),
            max_pages,
            count=count,
        )
    for number in range(count):
        picture = make_picture(_draw(document, number, max_pixels), "PDF")
        yield replace(picture, pages_left=count - number - 1)


def _open(content: bytes) -> "PdfDocument":
    # Imported late: only PDF uploads wait for PDFium to load.
    from pypdfium2 import PdfDocument, PdfiumError
    from pypdfium2.raw import FPDF_ERR_PASSWORD

    try:
        document = PdfDocument(content)
        document.init_forms()  # before its pages, so that filled fields are drawn
        return document
    except PdfiumError as e:
        if e.err_code == FPDF_ERR_PASSWORD:
            raise PictureError(
                "encrypted_file",
                gettext_noop(
                    "This PDF is protected by a password. Save it without one and resend it."
                ),
            ) from e
        raise broken_file() from e


def _draw(document: "PdfDocument", number: int, max_pixels: int) -> Image.Image:
    from pypdfium2 import PdfBitmap, PdfiumError
    from pypdfium2.raw import FPDF_ANNOT, FPDF_FFLDraw, FPDF_RenderPageBitmap, FPDFBitmap_BGR

    try:
        page = document[number]
        _check_pictures(page, number, max_pixels)
        width, height = _size(page, max_pixels)
        bitmap = PdfBitmap.new_native(width, height, FPDFBitmap_BGR)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, FPDF_ANNOT)
        if page.formenv:
            FPDF_FFLDraw(page.formenv, bitmap, page, 0, 0, width, height, 0, FPDF_ANNOT)
        image: Image.Image = bitmap.to_pil()  # a copy
        page.close()  # with its decoded pictures
    except PdfiumError as e:
        raise broken_file(number) from e
    return image


def _check_pictures(page: "PdfPage", number: int, max_pixels: int) -> None:
    """Refuse a page with a picture that declares too many pixels."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    for picture in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]):
        width, height = picture.get_px_size()
        if width * height > max_pixels:
            raise too_many_pixels(
                gettext_noop(
                    "A picture of %(width)s x %(height)s pixels on page %(page)s is too large: the "
                    "limit is %(limit)s pixels (width x height)."
                ),
                max_pixels,
                width=width,
                height=height,
                page=number + 1,
            )


def _size(page: "PdfPage", max_pixels: int) -> tuple[int, int]:
    """Return the width and height to render a page at, in pixels."""
    width, height = (max(1.0, points) for points in page.get_size())
    scale = min(
        MAX_PIXELS_PER_POINT,
        MAX_SIDE / max(width, height),
        math.sqrt(max_pixels / (width * height)),
    )
    return max(1, int(width * scale)), max(1, int(height * scale))
