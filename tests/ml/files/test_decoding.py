"""Every format, mode and size that people have, and everything that is no picture at all."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from ml.errors import PictureError
from ml.files.decoding import decode
from ml.files.formats import ENDINGS
from ml.files.formats import IMAGE_FORMATS as FORMATS
from ml.files.numbers import picture_from_pixels
from ml.files.picture import PREVIEW_SIDE
from tests.support.pictures import encode

MAX_PIXELS = 40_000_000
ALPHA_FORMATS = ("PNG", "WEBP", "TIFF")


def ramp(width: int = 40, height: int = 30) -> Image.Image:
    """Dark at the left, light at the right, with a black corner at the top left."""
    page = np.tile(np.linspace(60, 250, width).astype(np.uint8), (height, 1))
    page[:8, :8] = 0
    return Image.fromarray(page)


def noise(side: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side), np.uint8))


def test_takes_the_format_from_the_content() -> None:
    for format_ in FORMATS:
        picture = decode(encode(ramp().convert("RGB"), format_), max_pixels=MAX_PIXELS)
        assert picture.format == format_
        assert (picture.width, picture.height) == (40, 30)
        assert picture.image.mode == "RGB"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_reads_every_mode_alike(mode: str) -> None:
    stripes = np.zeros((20, 20), np.uint8)
    stripes[:, 10:] = 255
    if mode == "I;16":
        content = encode(Image.fromarray(stripes.astype(np.uint16) * 257), "TIFF")
    else:
        content = encode(Image.fromarray(stripes).convert(mode), "TIFF")
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == mode
    page = decode(content, max_pixels=MAX_PIXELS).page
    assert page.dtype == np.uint8
    assert np.array_equal(page, stripes)


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_reads_modes_of_print_and_film(mode: str) -> None:
    flat = Image.new(mode, (8, 8), (200, 128, 128))
    picture = decode(encode(flat, "TIFF"), max_pixels=MAX_PIXELS)
    assert picture.image.mode == "RGB"
    assert np.abs(picture.page.astype(int) - 200).max() <= 3


def test_reads_cmyk_jpeg() -> None:
    picture = decode(encode(ramp().convert("CMYK"), "JPEG", quality=95), max_pixels=MAX_PIXELS)
    assert picture.page[4, 4] < 30
    assert picture.page[20, 38] > 220


@pytest.mark.parametrize("brightest", [255, 1023, 4095, 65535])
def test_scales_deep_pictures_by_the_range_they_use(brightest: int) -> None:
    deep = np.tile(np.linspace(0, brightest, 32).astype(np.uint16), (32, 1))
    page = decode(encode(Image.fromarray(deep)), max_pixels=MAX_PIXELS).page
    assert page[0, 0] == 0
    assert page[0, -1] == 255
    assert len(np.unique(page)) == 32  # nothing is clipped to white


def test_keeps_the_slight_noise_of_a_deep_blank_page_slight() -> None:
    deep = np.random.default_rng(0).integers(60_000, 60_200, (32, 32)).astype(np.uint16)
    page = decode(encode(Image.fromarray(deep)), max_pixels=MAX_PIXELS).page
    assert np.ptp(page) <= 2


def test_reads_floats_from_zero_to_one_and_ignores_what_is_no_number() -> None:
    floats = np.tile(np.linspace(0, 1, 32).astype(np.float32), (32, 1))
    floats[0, :2] = np.nan, np.inf
    page = decode(encode(Image.fromarray(floats), "TIFF"), max_pixels=MAX_PIXELS).page
    assert page[0, 0] == page[0, 1] == 0
    assert page[5, 31] == 255


def test_reads_the_first_frame_of_an_animated_gif() -> None:
    frames = [Image.new("L", (12, 12), grey) for grey in (10, 200, 250)]
    content = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(content, max_pixels=MAX_PIXELS).page.max() == 10


UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_turns_pictures_upright_as_exif_says(format_: str, orientation: int) -> None:
    method = UNDO[orientation]
    stored = ramp() if method is None else ramp().transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if format_ == "JPEG" else {"lossless": True}
    picture = decode(encode(stored, format_, exif=exif, **options), max_pixels=MAX_PIXELS)
    assert (picture.width, picture.height) == (40, 30)
    difference = picture.page.astype(int) - np.asarray(ramp())
    assert np.abs(difference).mean() < 3
    assert np.abs(np.asarray(picture.image.convert("L")).astype(int) - picture.page).max() <= 1


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_leaves_pictures_with_unknown_orientation_as_they_are(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(
        decode(encode(ramp(), exif=exif), max_pixels=MAX_PIXELS).page, np.asarray(ramp())
    )


def with_stroke(
    stroke: tuple[int, int, int, int], around: tuple[int, int, int, int]
) -> Image.Image:
    image = Image.new("RGBA", (30, 30), around)
    image.paste(stroke, (12, 4, 18, 26))
    return image


@pytest.mark.parametrize("format_", ALPHA_FORMATS)
@pytest.mark.parametrize("grey", [0, 80, 180, 255])
def test_lays_transparency_over_a_ground_that_shows_the_ink(format_: str, grey: int) -> None:
    image = with_stroke((grey, grey, grey, 255), (grey, grey, grey, 0))
    page = decode(encode(image, format_, lossless=True), max_pixels=MAX_PIXELS).page
    assert abs(int(page[15, 15]) - int(page[15, 2])) >= 120


def test_lays_a_transparent_margin_over_the_color_of_the_paper() -> None:
    image = with_stroke((0, 0, 0, 255), (240, 240, 240, 255))
    image.paste((0, 0, 0, 0), (0, 0, 30, 3))
    page = decode(encode(image), max_pixels=MAX_PIXELS).page
    assert (page[1] == page[15, 2]).all()


def test_reads_palette_with_transparency() -> None:
    image = with_stroke((0, 0, 0, 255), (0, 0, 0, 0)).convert("LA").convert("RGBA").quantize(4)
    content = encode(image)
    with Image.open(io.BytesIO(content)) as stored:
        assert stored.mode == "P"
        assert "transparency" in stored.info
    page = decode(content, max_pixels=MAX_PIXELS).page
    assert page[15, 15] < 20
    assert page[15, 2] > 235


@pytest.mark.parametrize("color", [(0, 0, 0, 0), (255, 255, 255, 0), (9, 99, 200, 0)])
def test_reads_fully_transparent_as_blank(color: tuple[int, int, int, int]) -> None:
    page = decode(encode(Image.new("RGBA", (9, 9), color)), max_pixels=MAX_PIXELS).page
    assert (page == 255).all()


def test_tells_colors_of_the_same_lightness_apart() -> None:
    page = np.full((40, 40, 3), (0, 130, 0), np.uint8)
    page[10:30, 15:25] = (255, 0, 0)  # as light as that green
    grey = decode(encode(Image.fromarray(page)), max_pixels=MAX_PIXELS).page
    assert abs(int(grey[20, 20]) - int(grey[2, 2])) > 80


def test_keeps_previews_small_and_the_page_at_full_size() -> None:
    picture = decode(encode(Image.new("RGB", (2500, 1200))), max_pixels=MAX_PIXELS)
    assert picture.page.shape == (1200, 2500)
    assert PREVIEW_SIDE // 2 < max(picture.image.size) <= PREVIEW_SIDE


def test_reads_a_single_pixel() -> None:
    assert decode(encode(Image.new("RGB", (1, 1))), max_pixels=MAX_PIXELS).page.shape == (1, 1)


def refusal(content: bytes, max_pixels: int = MAX_PIXELS) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decode(content, max_pixels=max_pixels)
    assert len(caught.value.message) > 20
    return caught.value


def test_refuses_an_empty_file() -> None:
    assert refusal(b"").code == "empty_file"


@pytest.mark.parametrize(
    "content",
    [
        b"hello, I am a text",
        b"\0" * 1000,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ],
)
def test_refuses_what_is_no_picture(content: bytes) -> None:
    error = refusal(content)
    assert error.code == "unsupported_format"
    assert "PNG" in error.message


def test_refuses_formats_that_nobody_asked_for() -> None:
    assert refusal(encode(noise(), "TGA")).code == "unsupported_format"


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_refuses_truncated_pictures(format_: str, part: float) -> None:
    content = encode(noise(), format_)
    assert refusal(content[: int(len(content) * part)]).code == "broken_file"


def test_refuses_a_picture_with_garbage_inside() -> None:
    content = bytearray(encode(noise()))
    content[60:200] = b"\xff" * 140
    assert refusal(bytes(content)).code == "broken_file"


def with_header_of(format_: str, side: int) -> bytes:
    """Write another width and height into the header of a small file."""
    content = bytearray(encode(Image.new("L", (8, 8)), format_))
    if format_ == "PNG":
        header = b"IHDR" + struct.pack(">II", side, side) + bytes(content[24:29])
        content[12:33] = header + struct.pack(">I", zlib.crc32(header))
    elif format_ == "JPEG":
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", side, side)
    elif format_ == "GIF":
        content[6:10] = struct.pack("<HH", side, side)
    else:
        content[18:26] = struct.pack("<ii", side, side)
    return bytes(content)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "BMP"])
@pytest.mark.parametrize("side", [7_000, 10_000, 50_000])
def test_refuses_too_many_pixels_by_the_header(format_: str, side: int) -> None:
    error = refusal(with_header_of(format_, side))
    assert error.code == "too_many_pixels"
    assert f"{MAX_PIXELS:,}" in error.message


def test_holds_to_the_limit_it_is_given() -> None:
    content = encode(ramp(40, 30))
    assert decode(content, max_pixels=1200).width == 40
    assert refusal(content, max_pixels=1199).code == "too_many_pixels"


SMALL = {format_: encode(ramp(16, 16).convert("RGB"), format_) for format_ in FORMATS}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(FORMATS),
    st.lists(st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=6)), max_size=8),
    st.integers(0, 10_000),
)
def test_mutated_files_are_read_or_refused_in_words(
    format_: str, changes: list[tuple[int, bytes]], cut: int
) -> None:
    content = bytearray(SMALL[format_])
    for at, patch in changes:
        at %= len(content)
        content[at : at + len(patch)] = patch
    if cut < len(content):
        del content[cut:]
    try:
        picture = decode(bytes(content), max_pixels=100_000)
    except PictureError:
        pass  # refused in words; any other exception fails the test
    else:
        assert picture.page.dtype == np.uint8
        assert picture.page.size <= 100_000


def test_takes_pixels_as_they_are() -> None:
    page = np.arange(784).reshape(28, 28) % 256
    assert np.array_equal(picture_from_pixels(page.tolist()).page, page)


def test_scales_pixels_from_zero_to_one() -> None:
    page = picture_from_pixels([[0.5] * 28 for _ in range(27)] + [[1.0] * 28]).page
    assert page.dtype == np.uint8
    assert page[0, 0] == 128
    assert page[-1, -1] == 255


ROWS = [[0.0] * 28 for _ in range(28)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 255.5, 10**400, True, "1", None])
def test_refuses_pixels_that_are_no_greys(value: object) -> None:
    rows: list[list[object]] = [list(row) for row in ROWS]
    rows[3][5] = value
    with pytest.raises(PictureError, match="Pixel 5 of row 3") as caught:
        picture_from_pixels(rows)  # type: ignore[arg-type]
    assert caught.value.code == "wrong_pixels"


@pytest.mark.parametrize(
    "pixels",
    [[], None, 7, "x" * 28, ROWS[:27], [*ROWS, ROWS[0]], [*ROWS[:27], [0] * 27], [None] * 28],
)
def test_refuses_pixels_of_another_shape(pixels: object) -> None:
    with pytest.raises(PictureError, match="28 rows of 28 numbers") as caught:
        picture_from_pixels(pixels)  # type: ignore[arg-type]
    assert caught.value.code == "wrong_pixels"


@pytest.mark.shared
def test_decodes_the_pictures_of_the_original_system(shared: Path) -> None:
    for path in sorted((shared / "data" / "seed").iterdir()):
        picture = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
        assert (picture.width, picture.height) == (28, 28)
        assert np.ptp(picture.page) > 128


@pytest.mark.parametrize("head", [b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"P5 ", b"P2\n"])
def test_says_of_a_damaged_picture_that_it_is_one(head: bytes) -> None:
    assert refusal(head + bytes(100)).code == "broken_file"


@pytest.mark.parametrize(
    ("format_", "ending"), [("HEIF", "heic"), ("AVIF", "avif"), ("JPEG2000", "jp2")]
)
def test_pictures_of_phones_and_archives_are_upright(format_: str, ending: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    options = {} if format_ == "JPEG2000" else {"exif": exif.tobytes()}
    picture = decode(
        encode(ramp(160, 120).convert("RGB"), format_, **options), max_pixels=MAX_PIXELS
    )
    turned = ramp(160, 120).transpose(Image.Transpose.ROTATE_270) if options else ramp(160, 120)
    assert np.abs(picture.page.astype(int) - np.asarray(turned)).mean() < 6
    assert f".{ending}" in ENDINGS


@pytest.mark.shared
@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "row.avif", "row.jp2"])
def test_the_same_picture_in_another_format_is_the_same(shared: Path, name: str) -> None:
    cases = shared / "data" / "cases"
    expected, found = (
        decode((cases / file).read_bytes(), max_pixels=MAX_PIXELS).page.astype(int)
        for file in ("row.png", name)
    )
    assert np.abs(found - expected).mean() < 4


@pytest.mark.parametrize("head", [b"P1 4 2\n0 1 0 1\n1 0 1 0\n", b"P4 4 2\n\x50\xa0"])
def test_reads_bitmaps_whose_ones_are_black(head: bytes) -> None:
    page = decode(head, max_pixels=MAX_PIXELS).page
    assert page.tolist() == [[255, 0, 255, 0], [0, 255, 0, 255]]


@pytest.mark.parametrize(
    "content",
    [
        *(b"P2 # drawn\n2 1\n255\n0 255\n", b"P2 2 1 15 0 15", b"P3 2 1 255 0 0 0 255 255 255"),
        *(b"P5 2 1 255 \0\xff", b"P5 2 1 15 \0\x0f", b"P5 2 1 65535 \0\0\xff\xff"),
        b"P6 2 1 255 \0\0\0\xff\xff\xff",
    ],
)
def test_reads_portable_maps_of_any_depth(content: bytes) -> None:
    assert decode(content, max_pixels=MAX_PIXELS).page.tolist() == [[0, 255]]
