"""Files of several pages: PDF and TIFF, one page at a time and within limits."""

import io
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageOps

import ml.files.pdf
from ml.errors import DecodingBusy, PictureError
from ml.files.decoding import decode_pages
from ml.files.picture import DecodedPicture
from tests.support.pdf import encrypted, one_page, pdf_of, pdf_of_objects, with_picture_of

MAX_PIXELS = 40_000_000
SIDES = (30, 40, 50)


def decoded(content: bytes, *, max_pages: int = 9, **limits: int) -> list[DecodedPicture]:
    return list(decode_pages(content, max_pages=max_pages, **{"max_pixels": MAX_PIXELS, **limits}))


def refusal(content: bytes, *, max_pages: int = 9, **limits: int) -> PictureError:
    with pytest.raises(PictureError) as caught:
        decoded(content, max_pages=max_pages, **limits)
    assert len(caught.value.message) > 20
    return caught.value


def page(side: int, *, grey: int = 255) -> Image.Image:
    """A page with a black corner at the top left."""
    image = Image.new("L", (side, 2 * side), grey)
    image.paste(0, (0, 0, side // 2, side // 2))
    return image


def tiff_of(pages: Sequence[Image.Image], **options: object) -> bytes:
    content = io.BytesIO()
    pages[0].save(content, "TIFF", save_all=True, append_images=pages[1:], **options)
    return content.getvalue()


def test_the_frames_of_a_tiff_are_its_pages() -> None:
    pages = decoded(tiff_of([page(side) for side in SIDES]))
    assert [(p.width, p.height, p.format) for p in pages] == [(s, 2 * s, "TIFF") for s in SIDES]
    for picture, side in zip(pages, SIDES, strict=True):
        assert np.array_equal(picture.page, np.asarray(page(side)))


def test_pages_of_a_tiff_may_differ_in_mode_and_are_turned_upright() -> None:
    upright = page(30)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    modes = [turned.convert(mode) for mode in ("1", "RGB", "L")]
    pages = decoded(tiff_of(modes, tiffinfo={274: 6}))
    assert len(pages) == 3
    for picture in pages:
        assert np.array_equal(picture.page, np.asarray(upright))
        assert picture.image.size == (30, 60)


def test_the_smaller_copies_in_a_tiff_are_no_pages() -> None:
    content = bytearray(tiff_of([page(side) for side in SIDES], tiffinfo={254: 0}))
    entry = (254).to_bytes(2, "little") + (4).to_bytes(2, "little") + (1).to_bytes(4, "little")
    places = [n for n in range(len(content)) if content.startswith(entry, n)]
    assert len(places) == 3
    content[places[1] + 8] = 1  # the second frame is a smaller copy
    assert [picture.width for picture in decoded(bytes(content))] == [30, 50]


def test_of_an_animation_the_first_frame_is_the_picture() -> None:
    frames = [Image.new("L", (12, 12), grey) for grey in (10, 200, 250)]
    for format_ in ("GIF", "WEBP", "PNG"):
        content = io.BytesIO()
        frames[0].save(
            content, format_, save_all=True, append_images=frames[1:], **LOSSLESS[format_]
        )
        (picture,) = decoded(content.getvalue())
        assert picture.page.max() == 10


LOSSLESS: dict[str, dict[str, bool]] = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}


def test_the_pages_of_a_pdf_are_drawn_upright_and_in_order() -> None:
    pages = decoded(pdf_of(*(page(side) for side in SIDES)))
    assert [picture.format for picture in pages] == ["PDF"] * 3
    for picture, side in zip(pages, SIDES, strict=True):
        assert picture.width == pytest.approx(side * 300 / 72, abs=2)
        assert picture.height == pytest.approx(2 * picture.width, abs=2)
        small = picture.image.convert("L").resize((side, 2 * side), Image.Resampling.BOX)
        assert np.mean(np.abs(np.asarray(small, float) - np.asarray(page(side)))) < 4


def test_a_pdf_is_drawn_turned_as_it_says() -> None:
    box = b"0 0 200 100]/Rotate 90/Ignored["
    (picture,) = decoded(one_page(b"0 g 0 0 50 50 re f", box=box))
    assert picture.height > picture.width
    assert picture.page[5, 5] == 0  # lower left before, upper left now
    assert picture.page[-5, 5] == 255


def test_what_is_drawn_over_a_pdf_is_on_its_page() -> None:
    drawing = b"5 0 0 5 0 0 cm"
    note = (
        b"0 0 200 200]/Annots[<</Type/Annot/Subtype/Square/Rect[50 50 150 150]/F 4"
        b"/AP<</N 5 0 R>>>>]/Ignored["
    )
    appearance = b"<</Type/XObject/Subtype/Form/BBox[0 0 100 100]/Length 20>>\nstream\n"
    appearance += b"0 g 0 0 100 100 re f\nendstream"
    (picture,) = decoded(one_page(drawing, appearance, box=note))
    assert picture.page[picture.height // 2, picture.width // 2] == 0
    assert picture.page[5, 5] == 255


@pytest.mark.parametrize(
    "subtype", [b"Stamp", b"FreeText", b"Ink", b"Widget/FT/Sig", b"Widget/FT/Tx"]
)
def test_stamps_and_filled_fields_are_on_their_page(subtype: bytes) -> None:
    appearance = b"<</Type/XObject/Subtype/Form/BBox[0 0 100 100]/Length 20>>\nstream\n"
    appearance += b"0 g 0 0 100 100 re f\nendstream"
    (picture,) = decoded(
        pdf_of_objects(
            b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]>>>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Annots[4 0 R]>>",
            b"<</Type/Annot/Rect[50 50 150 150]/F 4/T(a)/P 3 0 R/AP<</N 5 0 R>>/Subtype/"
            + subtype
            + b">>",
            appearance,
        )
    )
    assert picture.page[picture.height // 2, picture.width // 2] == 0
    assert picture.page[5, 5] == 255


@pytest.mark.parametrize("box", [b"0 0 14400 14400", b"0 0 1 14400", b"0 0 0.01 0.01", b"0 0 0 0"])
def test_a_pdf_page_of_any_size_is_drawn_in_bounds(box: bytes) -> None:
    (picture,) = decoded(one_page(b"", box=box))
    assert max(picture.width, picture.height) <= ml.files.pdf.MAX_SIDE
    assert picture.page.min() == 255


def test_a_pdf_is_drawn_with_no_more_pixels_than_are_read() -> None:
    (picture,) = decoded(one_page(b""), max_pixels=10_000)
    assert 9_000 < picture.width * picture.height <= 10_000


@pytest.mark.parametrize("make", [tiff_of, lambda pages: pdf_of(*pages)])
def test_too_many_pages_are_refused_before_any_is_read(make: object) -> None:
    content = make([page(30)] * 5)  # type: ignore[operator]
    assert len(decoded(content, max_pages=5)) == 5
    pages = decode_pages(content, max_pixels=MAX_PIXELS, max_pages=4)
    with pytest.raises(PictureError) as caught:
        next(pages)
    assert caught.value.code == "too_many_pages"
    assert "at most 4" in caught.value.message


def test_a_large_page_among_small_ones_is_refused() -> None:
    content = tiff_of([page(10), page(100)])
    assert refusal(content, max_pixels=5_000).code == "too_many_pixels"


def test_names_the_page_of_a_tiff_that_is_damaged() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    content = bytearray(tiff_of([page(30), noise], compression="tiff_lzw"))
    half = len(content) // 2
    content[half : half + 800] = b"\0" * 800
    error = refusal(bytes(content))
    assert error.code == "broken_file"
    assert "Page 2" in error.message


@pytest.mark.parametrize("part", [0.02, 0.4])
def test_refuses_a_truncated_pdf(part: float) -> None:
    content = pdf_of(page(30), page(40))
    assert refusal(content[: int(len(content) * part)]).code == "broken_file"


def test_refuses_a_pdf_without_pages_and_one_whose_page_is_none() -> None:
    catalogue = b"<</Type/Catalog/Pages 2 0 R>>"
    for pages in (b"<</Type/Pages/Kids[]/Count 0>>", b"<</Type/Pages/Kids[9 0 R]/Count 1>>"):
        assert refusal(pdf_of_objects(catalogue, pages)).code == "broken_file"


def test_refuses_a_pdf_with_a_password_in_words() -> None:
    error = refusal(encrypted())
    assert error.code == "encrypted_file"
    assert "password" in error.message


def test_refuses_a_decompression_bomb_in_a_pdf() -> None:
    bomb = with_picture_of(30_000)
    assert len(bomb) < 1_000_000
    error = refusal(bomb)
    assert error.code == "too_many_pixels"
    assert "page 1" in error.message
    assert len(decoded(with_picture_of(300))) == 1


def test_gives_up_a_pdf_that_takes_too_long_to_draw() -> None:
    slow = one_page(b"0 0 200 200 re 0 0 100 100 re f* " * 300_000)
    start = time.monotonic()
    error = refusal(slow)
    assert error.code == "too_complex"
    assert time.monotonic() - start < 12  # on a busy machine the time limit of 10 s comes first
    assert len(decoded(pdf_of(page(30)))) == 1  # the next one is drawn


def test_pdfs_are_read_in_many_threads_at_once() -> None:
    content = pdf_of(*(page(side) for side in SIDES))
    expected = [picture.page for picture in decoded(content)]
    wrong: list[object] = []

    def read_once() -> None:
        pages = [picture.page for picture in decoded(content)]
        if not all(np.array_equal(a, b) for a, b in zip(pages, expected, strict=True)):
            wrong.append(pages)
        for _ in decode_pages(content, max_pixels=MAX_PIXELS, max_pages=9):
            break  # given up after the first page

    def read() -> None:
        finished = 0
        while finished < 5:
            try:
                read_once()
            except DecodingBusy:
                time.sleep(0.01)
            else:
                finished += 1

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_inverted_pages_come_as_they_are() -> None:
    (picture,) = decoded(pdf_of(ImageOps.invert(page(60))))
    assert picture.page[-5, -5] == 0
