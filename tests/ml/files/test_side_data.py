"""What stands beside the picture in a file: profiles, texts, EXIF, resolutions, end marks."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ml.errors import PictureError
from ml.files.decoding import decode, decode_pages
from tests.support.digits import draw_digits

MAX_PIXELS = 1_000_000
PAGE = np.kron(draw_digits(1).images[0], np.ones((4, 4), np.uint8))  # (112, 112)
PNG_CASES = (
    "exif-two-bytes-late",
    "icc-1.2MB",
    "iccp-bad-crc",
    "raw-profile-exif-without-header",
    "ztxt-3MB",
)


def encode(format_: str, page: NDArray[np.uint8] = PAGE, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(page).save(content, format_, **options)
    return content.getvalue()


def page_of(content: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    return decode(content, max_pixels=max_pixels).page


def refusal(content: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode(content, max_pixels=MAX_PIXELS)
    return caught.value.code


def with_chunk(name: bytes, body: bytes, *, checksum: int | None = None) -> bytes:
    """Insert a chunk before the pixels of a PNG."""
    png = encode("PNG")
    at = png.index(b"IDAT") - 4
    checksum = zlib.crc32(name + body) if checksum is None else checksum
    chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
    return png[:at] + chunk + png[at:]


def with_segment(marker: int, body: bytes) -> bytes:
    """Insert a segment at the begin of a JPEG."""
    jpeg = encode("JPEG", quality=95)
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"  # turn by 90 degrees


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"eXIf", b"\0\0" + EXIF),
        (b"eXIf", b""),
        (b"eXIf", b"MM\0*\xff\xff\xff\xff"),
        (b"iCCP", b"name\0\0" + zlib.compress(bytes(3_000_000))),
        (b"iCCP", b"name\0\0no zlib"),
        (b"iCCP", b""),
        (b"zTXt", b"key\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"iTXt", b"key\0\1\0\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"tEXt", b"Raw profile type exif\0\nexif\n8\n45786966ZZ"),
        (b"tEXt", b"key\0" + b"a" * 3_000_000),
        (b"pHYs", b"\0"),
        (b"gAMA", b""),
        (b"cHRM", b"1"),
        (b"sRGB", b""),
        (b"acTL", b""),
        (b"fcTL", b"1"),
        (b"prIv", b"anything"),
    ],
)
def test_no_side_chunk_stops_a_png(name: bytes, body: bytes) -> None:
    assert np.array_equal(page_of(with_chunk(name, body)), PAGE)
    assert np.array_equal(page_of(with_chunk(name, body, checksum=7)), PAGE)


def test_damaged_transparency_is_none() -> None:
    assert np.array_equal(page_of(with_chunk(b"tRNS", b"\0\xff", checksum=7)), PAGE)


def test_a_png_is_turned_upright_by_intact_exif_only() -> None:
    assert np.array_equal(page_of(with_chunk(b"eXIf", EXIF)), np.rot90(PAGE, -1))
    assert np.array_equal(page_of(with_chunk(b"eXIf", EXIF, checksum=7)), PAGE)


def test_what_makes_the_picture_is_checked() -> None:
    png = bytearray(encode("PNG"))
    png[30] ^= 1  # in the checksum of the header
    assert refusal(bytes(png)) == "broken_file"
    png[30] ^= 1
    assert refusal(bytes(png[:60])) == "broken_file"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xE1, b"Exif\0\0nonsense"),
        (0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x"),
        (0xE2, b"ICC_PROFILE\0\1\1nonsense"),
        (0xE2, b"ICC_PROFILE\0\0\0"),
        (0xE2, b"MPF\0nonsense"),
        (0xED, b"Photoshop 3.0\x008BIM\x03\xed\xff\xff\xff\xff\xff"),
        (0xFE, b"\xff" * 60_000),
    ],
)
def test_no_side_segment_stops_a_jpeg(marker: int, body: bytes) -> None:
    plain = page_of(encode("JPEG", quality=95))
    picture = decode(with_segment(marker, body), max_pixels=MAX_PIXELS)
    assert np.array_equal(picture.page, plain)
    assert picture.format == "JPEG"


def test_a_jpeg_keeps_its_orientation() -> None:
    plain = page_of(encode("JPEG", quality=95))
    assert np.array_equal(page_of(with_segment(0xE1, b"Exif\0\0" + EXIF)), np.rot90(plain, -1))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("restart", [0, 4])
def test_a_jpeg_without_its_end_mark_is_read(progressive: bool, restart: int) -> None:
    jpeg = encode("JPEG", quality=95, progressive=progressive, restart_marker_blocks=restart)
    for missing in (1, 2):
        assert np.array_equal(page_of(jpeg[:-missing]), page_of(jpeg))
    for missing in (60, 200, len(jpeg) // 2):
        assert refusal(jpeg[:-missing]) == "broken_file"


@pytest.mark.parametrize("pixels", [PAGE / 255, np.dstack([PAGE / 255] * 3).astype(np.float32)])
def test_a_tiff_of_another_kind_of_number_is_unsupported_not_damaged(
    pixels: NDArray[np.floating],
) -> None:
    content = cv2.imencode(".tif", pixels)[1].tobytes()
    assert refusal(content) == "unsupported_format"
    assert refusal(content[:100]) == "broken_file"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("tag", [34665, 34853, 40965, 700, 34675, 37724])
def test_no_side_tag_stops_a_tiff(tag: int) -> None:
    """A pointer, or data, past the end of the file."""
    page = encode("TIFF", tiffinfo={65000: 7})
    entry = struct.pack("<HHII", 65000, 3, 1, 7)
    assert entry in page
    pointing = page.replace(entry, struct.pack("<HHII", tag, 4, 1, 2**31))
    assert np.array_equal(page_of(pointing), PAGE)


@pytest.mark.parametrize(
    ("dpi", "size"),
    [
        ((204, 98), (112, 233)),
        ((98, 204), (233, 112)),
        ((204, 196), (112, 112)),
        ((203, 391), (216, 112)),
        ((300, 1), (112, 112)),
        ((1, 1), (112, 112)),
    ],
)
def test_a_fax_is_drawn_as_high_as_it_was(dpi: tuple[int, int], size: tuple[int, int]) -> None:
    picture = decode(encode("TIFF", dpi=dpi), max_pixels=MAX_PIXELS)
    assert (picture.width, picture.height) == size
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(encode("TIFF", dpi=dpi, exif=exif), max_pixels=MAX_PIXELS)
    assert (turned.height, turned.width) == size


def test_a_fax_has_its_limit_at_the_size_it_is_read() -> None:
    content = encode("TIFF", dpi=(204, 98))
    with pytest.raises(PictureError, match="112 x 233"):
        page_of(content, max_pixels=20_000)
    assert page_of(content, max_pixels=112 * 233).shape == (233, 112)


@pytest.mark.shared
def test_files_of_other_peoples_bug_reports_are_read(shared: Path) -> None:
    cases = shared / "data" / "cases"
    row = page_of((cases / "row.png").read_bytes())
    for name in PNG_CASES:
        assert np.array_equal(page_of((cases / f"png-{name}.png").read_bytes()), row), name
    jpeg = page_of((cases / "jpeg-last-two-bytes-missing.jpg").read_bytes())
    assert np.abs(jpeg.astype(int) - row).max() < 64
    for number in range(4):
        fax = (cases / f"fax-204x98-{number}.tif").read_bytes()
        (picture,) = decode_pages(fax, max_pixels=MAX_PIXELS, max_pages=1)
        assert picture.page.shape == row.shape
