"""PDF files to pages, by PDFium.

PDFium may be called by one thread at a time
(https://pypdfium2.readthedocs.io/en/stable/python_api.html), so a lock is held over every call,
page by page: whoever sends a short PDF does not wait for all of a long one.
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

LONGEST_SIDE = 2400  # pixels of a page: 5 mm on A4 are 40 of them
MAX_PIXELS_A_POINT = 300 / 72  # a small page is not drawn larger than a scanner would show it
MAX_DRAWING_S = 10.0  # seconds that one page may take to be drawn
SIGNATURE = b"%PDF-"
SIGNATURE_WITHIN = 1024  # bytes: readers have always looked so far for it

_lock = Lock()


def is_pdf(content: bytes) -> bool:
    """Tell whether a file is a PDF.

    Parameters
    ----------
    content
        The whole file.

    Returns
    -------
    bool
        Whether it begins like one.
    """
    return SIGNATURE in content[:SIGNATURE_WITHIN]


def decode_pdf(content: bytes, *, max_pixels: int, max_pages: int) -> Iterator[DecodedPicture]:
    """Draw the pages of a PDF, one after another, on white.

    Parameters
    ----------
    content
        The whole file.
    max_pixels
        The most pixels (width by height) of a picture in it; its pages are drawn with at most as
        many.
    max_pages
        The most pages.

    Yields
    ------
    DecodedPicture
        A page, its longer side at most `LONGEST_SIDE` pixels.

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
    # Only who sends a PDF waits for PDFium to be loaded.
    from pypdfium2 import PdfDocument, PdfiumError
    from pypdfium2.raw import FPDF_ERR_PASSWORD

    try:
        return PdfDocument(content)
    except PdfiumError as e:
        if e.err_code == FPDF_ERR_PASSWORD:
            raise PictureError(
                "encrypted_file",
                "This PDF is protected by a password. Save it without one and send it again.",
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
    finally:  # here, under the lock, and not when the garbage is collected
        if bitmap is not None:
            bitmap.close()
        if page is not None:
            page.close()


def _check_pictures(page: "PdfPage", number: int, max_pixels: int) -> None:
    """Refuse a page with a picture too large to be decoded, by what the picture says of itself."""
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    for picture in page.get_objects(filter=[FPDF_PAGEOBJ_IMAGE]):
        width, height = picture.get_px_size()
        if width * height > max_pixels:
            words = f"A picture of {width:,} x {height:,} pixels on page {number + 1}"
            raise too_many_pixels(words, max_pixels)


def _size(page: "PdfPage", max_pixels: int) -> tuple[int, int]:
    """Say how large a page is drawn, in pixels."""
    width, height = (max(1.0, points) for points in page.get_size())
    scale = min(
        MAX_PIXELS_A_POINT,
        LONGEST_SIDE / max(width, height),
        math.sqrt(max_pixels / (width * height)),
    )
    return max(1, int(width * scale)), max(1, int(height * scale))


def _draw_in_time(page: "PdfPage", bitmap: "PdfBitmap", number: int) -> None:
    """Draw a page with its annotations, and give up where that takes too long."""
    from pypdfium2 import raw
    from pypdfium2.internal import set_callback

    deadline = time.monotonic() + MAX_DRAWING_S
    pause = raw.IFSDK_PAUSE(version=1)
    set_callback(pause, "NeedToPauseNow", lambda _: time.monotonic() > deadline)
    status = raw.FPDF_RenderPageBitmap_Start(
        bitmap, page, 0, 0, bitmap.width, bitmap.height, 0, raw.FPDF_ANNOT, pause
    )
    raw.FPDF_RenderPage_Close(page)
    if status == raw.FPDF_RENDER_TOBECONTINUED:
        raise PictureError(
            "too_complex",
            f"Page {number + 1} of this PDF takes too long to draw. Send a photo or a scan of it.",
        )
    if status != raw.FPDF_RENDER_DONE:
        raise broken_file(number)
