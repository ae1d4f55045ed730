"""Small PDF files, made of pictures by Pillow or of objects written by hand."""

import io
import zlib

from PIL import Image


def pdf_of(*pages: Image.Image, dpi: int = 72) -> bytes:
    """Make a PDF with one picture per page."""
    content = io.BytesIO()
    pages[0].save(content, "PDF", save_all=True, append_images=pages[1:], resolution=dpi)
    return content.getvalue()


def pdf_of_objects(*objects: bytes, trailer: bytes = b"") -> bytes:
    """Make a PDF of numbered objects; the first is the catalogue."""
    content = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer\n<</Size %d/Root 1 0 R" % (len(objects) + 1) + trailer
    content += b">>\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(content)


def stream(header: bytes, body: bytes) -> bytes:
    return b"<<" + header + b"/Length %d>>\nstream\n" % len(body) + body + b"\nendstream"


def one_page(drawing: bytes, *more: bytes, box: bytes = b"0 0 200 200") -> bytes:
    """Make a one-page PDF; `more` objects are numbered from 5, the first is the picture /I."""
    resources = b"/XObject<</I 5 0 R>>" if more else b""
    return pdf_of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox["
        + box
        + b"]/Contents 4 0 R/Resources<<"
        + resources
        + b">>>>",
        stream(b"", drawing),
        *more,
    )


def with_picture_of(side: int) -> bytes:
    """Make a page with a blank picture of side x side pixels: a few kB at any size."""
    packed = zlib.compress(bytes((side + 7) // 8 * side), 9)
    header = b"/Type/XObject/Subtype/Image/Width %d/Height %d" % (side, side)
    header += b"/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/FlateDecode"
    return one_page(b"q 200 0 0 200 0 0 cm /I Do Q", stream(header, packed))


def encrypted() -> bytes:
    """Make a PDF that needs a password."""
    lock = (
        b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<" + b"ab" * 32 + b">/U<" + b"cd" * 32 + b">>>"
    )
    identity = b"/ID[<" + b"01" * 16 + b"><" + b"01" * 16 + b">]"
    return pdf_of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>",
        trailer=lock + identity,
    )
