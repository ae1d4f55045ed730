"""Small files that ask for far too much: each is made by a few lines, none is kept."""

import io
import itertools
import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from pillow_heif import register_heif_opener

from tests.support.pdf import one_page, pdf_of_objects, stream
from tests.support.pictures import encode

SIDE = 8000  # pixels: 64 million in all


def nested_forms(levels: int = 7, width: int = 10) -> bytes:
    """A PDF of forms that draw the next one ten times: 10⁷ drawings."""
    forms = []
    for level in range(levels):
        names = b"/XObject<</F %d 0 R>>" % (6 + level) if level < levels - 1 else b""
        body = b"/F Do " * width if names else b"0 0 9 9 re f "
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<<" + names + b">>"
        forms.append(stream(head, body))
    return one_page(b"/I Do", *forms)


def slow_shading(pages: bytes = b"3 0 R") -> bytes:
    """A PDF with a shading by a long PostScript function, many times."""
    program = b"{" + b"2 copy mul sin exch pop " * 200 + b" 0 0}"
    function = stream(b"/FunctionType 4/Domain[0 1 0 1]/Range[0 1 0 1 0 1]", program)
    return pdf_of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[" + pages + b"]/Count %d>>" % pages.count(b"R"),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]/Contents 4 0 R"
        b"/Resources<</Shading<</S 5 0 R>>>>>>",
        stream(b"", b"/S sh " * 200),
        b"<</ShadingType 1/ColorSpace/DeviceRGB/Matrix[600 0 0 600 0 0]/Function 6 0 R>>",
        function,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]>>",
    )


def slow_second_page() -> bytes:
    return slow_shading(b"7 0 R 3 0 R")


def dashed_lines() -> bytes:
    """A PDF of very long lines in very short dashes."""
    lines = b"[.1 .1] 0 d " + b"0 0 m 14000 14000 l S " * 20_000
    return one_page_compressed(lines, box=b"0 0 14400 14400")


def one_page_compressed(drawing: bytes, box: bytes = b"0 0 200 200") -> bytes:
    """A PDF page whose drawing is compressed."""
    return pdf_of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[" + box + b"]/Contents 4 0 R>>",
        stream(b"/Filter/FlateDecode", zlib.compress(drawing, 9)),
    )


def long_drawing() -> bytes:
    """A PDF page with a drawing that unpacks to 2 GB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"q Q " * 5_000_000) for _ in range(100)) + packer.flush()
    return pdf_of_objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R>>",
        # Packed twice: the first time takes 1 byte of 1,000, the second one of as many again.
        stream(b"/Filter[/FlateDecode/FlateDecode]", zlib.compress(packed, 9)),
    )


def large_mask() -> bytes:
    """A PDF with a small picture whose soft mask has 30,000 x 30,000 pixels."""
    side = 30_000
    mask = zlib.compress(zlib.compress(bytes(side * side // 8), 9), 9)
    return one_page(
        b"100 0 0 100 0 0 cm /I Do",
        stream(
            b"/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray"
            b"/BitsPerComponent 8/SMask 6 0 R",
            b"\0",
        ),
        stream(
            b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray"
            b"/BitsPerComponent 1/Filter[/FlateDecode/FlateDecode]" % (side, side),
            mask,
        ),
    )


@cache
def jpeg2000() -> bytes:
    return encode(Image.new("L", (12_000, 12_000), 200), "JPEG2000")


def jpeg2000_that_says_10() -> bytes:
    """Has 12,000 x 12,000 pixels."""
    said, lie = (b"ihdr" + struct.pack(">II", side, side) for side in (12_000, 10))
    return jpeg2000().replace(said, lie)


def boxed(format_: str, side: int) -> bytes:
    """A picture of 640 x 640 pixels that says another size."""
    register_heif_opener()
    content = encode(Image.new("RGB", (640, 640), "white"), format_)
    said, lie = (b"ispe" + struct.pack(">III", 0, each, each) for each in (640, side))
    assert said in content
    return content.replace(said, lie)


def large_jpeg2000() -> bytes:
    """A PDF with a JPEG 2000 picture that says 10 x 10 and has 12,000 x 12,000 pixels."""
    picture = jpeg2000()
    head = (
        b"/Type/XObject/Subtype/Image/Width 10/Height 10/ColorSpace/DeviceGray"
        b"/BitsPerComponent 8/Filter/JPXDecode"
    )
    return one_page(b"100 0 0 100 0 0 cm /I Do", stream(head, picture))


def large_webp() -> bytes:
    return encode(Image.new("RGB", (SIDE, SIDE)), "WEBP", lossless=True, method=0, quality=0)


def large_float_tiff() -> bytes:
    return encode(Image.new("F", (SIDE, SIDE), 0.5), "TIFF", compression="tiff_adobe_deflate")


def large_cmyk_tiff() -> bytes:
    return encode(Image.new("CMYK", (SIDE, SIDE)), "TIFF", compression="tiff_adobe_deflate")


def tall_png() -> bytes:
    return encode(Image.new("L", (1, SIDE * SIDE), 255), "PNG")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(before: bytes = b"", after: bytes = b"") -> bytes:
    """A 28 x 28 PNG with further chunks before or after its pixels."""
    png = encode(Image.new("L", (28, 28), 255), "PNG")
    pixels, end = png.index(b"IDAT") - 4, png.index(b"IEND") - 4
    return png[:pixels] + before + png[pixels:end] + after + png[end:]


def png_of_chunks() -> bytes:
    """A PNG with 1.5 million chunks after its pixels."""
    return png_with(after=chunk(b"prIv", b"") * 1_500_000)


def tables(size: int, order: str = "<") -> bytes:
    """A TIFF table (as of EXIF) of `size` bytes whose entries all name all of its bytes."""
    entries = min((size - 14) // 12, 60_000)
    body = b"".join(struct.pack(f"{order}HHII", 1000 + n, 7, size - 8, 8) for n in range(entries))
    table = struct.pack(f"{order}H", entries) + body + struct.pack(f"{order}I", 0)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    return (head + table).ljust(size, b"\0")


def tiff_of_tables() -> bytes:
    return tables(1_000_000)


def png_of_tables() -> bytes:
    return png_with(before=chunk(b"eXIf", tables(200_000)))


def jpeg_of_tables(name: bytes) -> bytes:
    """A JPEG whose EXIF (or list of further pictures, MPF) is such a table."""
    jpeg = encode(Image.new("L", (28, 28), 255), "JPEG")
    body = name + tables(65_000)
    jfif = jpeg.index(b"\xff\xdb")  # without the header that states the resolution
    return (
        jpeg[:2]
        + (b"\xff\xe1" if name == b"Exif\0\0" else b"\xff\xe2")
        + struct.pack(">H", len(body) + 2)
        + body
        + jpeg[jfif:]
    )


def jpeg_of_scans() -> bytes:
    """A progressive JPEG that goes over its 16 million pixels again and again."""
    jpeg = encode(Image.new("L", (4000, 4000), 255), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * 5_000 + jpeg[-2:]


def gif_of_comments() -> bytes:
    """A GIF with a comment of 18 MB in many blocks."""
    gif = encode(Image.new("L", (4000, 4000), 255), "GIF")
    at = gif.index(b"\x2c\0\0\0\0")  # where the picture begins
    return gif[:at] + (b"\x21\xfe" + b"\x01a" * 100 + b"\0") * 90_000 + gif[at:]


def large_picture() -> bytes:
    """A colour picture at the limit of pixels: allowed, but not in any memory."""
    return encode(Image.new("RGB", (SIDE, SIDE), "white"), "PNG", compress_level=1)


def ragged_numbers() -> bytes:
    """Rows of numbers: a short one, then long ones of very many numbers."""
    return b"1,2\n" + (b"17," * 8_000 + b"17\n") * 500


def digits_then_letter() -> bytes:
    return b"1" * 25_000 + b"x\n"


def hatching(side: int = 1024) -> bytes:
    """Diagonal strokes, each of which could be a 1."""
    y, x = np.mgrid[:side, :side]
    return encode(Image.fromarray(np.where((x + y) % 12 < 3, 0, 255).astype(np.uint8)), "PNG")


def page(height: int, width: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width), 255, np.uint8)


def png(pixels: npt.NDArray[Any]) -> bytes:
    return encode(Image.fromarray(np.asarray(pixels, np.uint8)), "PNG", compress_level=1)


def noise(height: int, width: int) -> bytes:
    return png(np.random.default_rng(0).integers(0, 256, (height, width), np.uint8))


def dots(pitch: int, radius: int, side: int = 1600) -> bytes:
    drawn = page(side, side)
    for y, x in itertools.product(range(pitch // 2, side, pitch), repeat=2):
        cv2.circle(drawn, (x, y), radius, 0, -1)
    return png(drawn)


def checkerboard(square: int, side: int = 1600) -> bytes:
    return png(np.indices((side, side)).sum(axis=0) // square % 2 * 255)


def rows_of_digits(side: int, size: float, pitch: int) -> bytes:
    """A page that is full of digits; `size` 1 is 22 pixels high."""
    drawn, rng = page(side, side), np.random.default_rng(0)
    for y, x in itertools.product(range(pitch, side, pitch), range(0, side - pitch, pitch)):
        _draw(drawn, str(rng.integers(10)), x, y, size)
    return png(drawn)


def scattered_digits(count: int, side: int = 1600) -> bytes:
    """Digits of all sizes, wherever they fall: as many lines as digits."""
    drawn, rng = page(side, side), np.random.default_rng(0)
    for _ in range(count):
        x, y = rng.integers(side, size=2).tolist()
        _draw(drawn, str(rng.integers(10)), x, y, rng.uniform(0.4, 1))
    return png(drawn)


@cache
def tiff_of_pages(pages: int = 20) -> bytes:
    """A document whose every page is among the most costly to read."""
    page = Image.open(io.BytesIO(scattered_digits(1_500)))
    more = [page] * (pages - 1)
    return encode(page, "TIFF", save_all=True, append_images=more, compression="tiff_lzw")


def text_like(side: int = 1600) -> bytes:
    drawn, rng = page(side, side), np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
    for y in range(20, side, 18):
        _draw(drawn, "".join(rng.choice(letters, 150)), 5, y, 0.5)
    return png(drawn)


def _draw(drawn: npt.NDArray[np.uint8], text: str, x: int, y: int, size: float) -> None:
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(drawn, text, (x, y), font, size, 0, max(1, round(2 * size)), cv2.LINE_AA)


PDFS: dict[str, Callable[[], bytes]] = {
    "PDF: forms nested in forms": nested_forms,
    "PDF: slow shading": slow_shading,
    "PDF: dashed lines": dashed_lines,
    "PDF: a drawing of 2 GB": long_drawing,
    "PDF: a mask of 900 million pixels": large_mask,
    "PDF: a large JPEG 2000": large_jpeg2000,
}
PICTURES: dict[str, Callable[[], bytes]] = {
    "WebP, 64 million pixels": large_webp,
    "TIFF of floats, 64 million pixels": large_float_tiff,
    "TIFF in CMYK, 64 million pixels": large_cmyk_tiff,
    "PNG in colour, 64 million pixels": large_picture,
    "PNG, 1 x 64 million pixels": tall_png,
    "PNG of 1.5 million chunks": png_of_chunks,
    "PNG with a table of 200 kB, 16,000 times": png_of_tables,
    "TIFF with a table of 1 MB, 60,000 times": tiff_of_tables,
    "JPEG with a table of 65 kB, 5,000 times": lambda: jpeg_of_tables(b"Exif\0\0"),
    "JPEG with a list of 65 kB, 5,000 times": lambda: jpeg_of_tables(b"MPF\0"),
    "JPEG of 5,000 scans": jpeg_of_scans,
    "GIF with a comment of 18 MB": gif_of_comments,
    "JPEG 2000, 144 million pixels": jpeg2000,
    "JPEG 2000 that says 10 x 10": jpeg2000_that_says_10,
    "HEIC that says 8,000 x 8,000": lambda: boxed("HEIF", 8_000),
    "HEIC that says 30,000 x 30,000": lambda: boxed("HEIF", 30_000),
    "HEIC that says 8 x 8": lambda: boxed("HEIF", 8),
    "AVIF that says 6,000 x 6,000": lambda: boxed("AVIF", 6_000),
    "PGM of 254 shades, 9 million pixels": lambda: b"P5 3000 3000 254 " + bytes(9_000_000),
}
DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "TIFF of 20 costly pages": tiff_of_pages,
}
TEXTS: dict[str, Callable[[], bytes]] = {
    "text: 25,000 digits and a letter": digits_then_letter,
    "text: rows of 8,000 numbers": ragged_numbers,
}
PAGES: dict[str, Callable[[], bytes]] = {
    "hatching": hatching,
    "noise": lambda: noise(2000, 2000),
    "dots": lambda: dots(12, 3),
    "large dots": lambda: dots(20, 7),
    "checkerboard": lambda: checkerboard(8),
    "8,000 pixels in a row": lambda: noise(1, 8000),
    "8,000 pixels in a column": lambda: noise(8000, 1),
    "a strip of 40 x 64,000": lambda: noise(40, 64_000),
    "text-like texture": text_like,
    "5,000 tiny digits": lambda: rows_of_digits(1600, 0.5, 22),
    "12 megapixels of digits": lambda: rows_of_digits(3464, 1.4, 46),
    "64 megapixels of digits": lambda: rows_of_digits(8000, 5, 150),
    "3,000 scattered digits": lambda: scattered_digits(3_000),
    "1,500 scattered digits": lambda: scattered_digits(1_500),
}
FILES = {**PDFS, **PICTURES, **DOCUMENTS, **TEXTS}
