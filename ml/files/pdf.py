"""Rendering of PDF pages by PDFium.

PDFium is not thread-safe
(https://pypdfium2.readthedocs.io/en/stable/python_api.html), so calls hold a lock,
but only page by page: a short PDF does not wait for all of a long one.
"""

import math
import time
from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING

from PIL import Image

from ml.errors import PictureError, broken_file, too_many_pages, too_many_pixels
from ml.files.images import DecodedPicture, make_picture

if TYPE_CHECKING:
    from pypdfium2 import PdfBitmap, PdfDocument, PdfPage

MAX_SIDE = 2400  # pixels of a page: 5 mm on A4 are 40 pixels
MAX_PIXELS_PER_POINT = 300 / 72  # 300 dpi, as of a scanner
MAX_RENDER_S = 10.0  # seconds per page
SIGNATURE = b"%PDF-"
SIGNATURE_WITHIN = 1024  # bytes, as in most PDF readers

_lock = Lock()


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
        ``broken_file``, ``encrypted_file``, ``too_many_pages``, ``too_many_pixels`` or
        ``too_complex``.
    """
    with _lock:
        document = _open(content)
    try:
        with _lock:
            count = len(document)
        if count > max_pages:
            raise too_many_pages(f"This PDF has {count:,} pages", max_pages)
        for number in range(count):
            with _lock:
                image = _draw(document, number, max_pixels)
            yield make_picture(image, "PDF")
    finally:
        with _lock:
            document.close()


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
                "This PDF is protected by a password. Save it without one and resend it.",
            ) from e
        raise broken_file() from e


def _draw(document: "PdfDocument", number: int, max_pixels: int) -> Image.Image:
    from pypdfium2 import PdfBitmap, PdfiumError
    from pypdfium2.raw import FPDFBitmap_BGR

    page = bitmap = None
    try:
        page = document[number]
        _check_pictures(page, number, max_pixels)
        width, height = _size(page, max_pixels)
        bitmap = PdfBitmap.new_native(width, height, FPDFBitmap_BGR)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        _draw_in_time(page, bitmap, number)
        image: Image.Image = bitmap.to_pil()  # a copy
        return image
    except PdfiumError as e:
        raise broken_file(number) from e
    finally:  # under the lock rather than in garbage collection
        if bitmap is not None:
            bitmap.close()
        if page is not None:
            page.close()


def _check_pictures(page: "PdfPage", number: int, max_pixels: int) -> None:
    """Refuse a page with a picture that declares too many pixels."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    for picture in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]):
        width, height = picture.get_px_size()
        if width * height > max_pixels:
            subject = f"A picture of {width:,} x {height:,} pixels on page {number + 1}"
            raise too_many_pixels(subject, max_pixels)


def _size(page: "PdfPage", max_pixels: int) -> tuple[int, int]:
    """Return the width and height to render a page at, in pixels."""
    width, height = (max(1.0, points) for points in page.get_size())
    scale = min(
        MAX_PIXELS_PER_POINT,
        MAX_SIDE / max(width, height),
        math.sqrt(max_pixels / (width * height)),
    )
    return max(1, int(width * scale)), max(1, int(height * scale))


def _draw_in_time(page: "PdfPage", bitmap: "PdfBitmap", number: int) -> None:
    """Render a page with its annotations and form fields, within a time limit."""
    from pypdfium2 import raw
    from pypdfium2.internal import set_callback

    deadline = time.monotonic() + MAX_RENDER_S
    pause = raw.IFSDK_PAUSE(version=1)
    set_callback(pause, "NeedToPauseNow", lambda _: time.monotonic() > deadline)
    status = raw.FPDF_RenderPageBitmap_Start(
        bitmap, page, 0, 0, bitmap.width, bitmap.height, 0, raw.FPDF_ANNOT, pause
    )
    raw.FPDF_RenderPage_Close(page)
    if status == raw.FPDF_RENDER_DONE and page.formenv:
        raw.FPDF_FFLDraw(
            page.formenv, bitmap, page, 0, 0, bitmap.width, bitmap.height, 0, raw.FPDF_ANNOT
        )
    if status == raw.FPDF_RENDER_TOBECONTINUED:
        raise PictureError(
            "too_complex",
            f"Page {number + 1} of this PDF takes too long to render. Send a photo or a scan.",
        )
    if status != raw.FPDF_RENDER_DONE:
        raise broken_file(number)
