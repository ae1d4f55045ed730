"""A digit is found wherever and however it stands, and nothing is found where nothing is."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from ml.segmentation import Box, Glyph, find_lines

Page = npt.NDArray[np.uint8]

PAPER, INK = 230, 40


def draw_two(page: Page, x: int, y: int, height: int, *, ink: int = INK, pen: int = 0) -> Page:
    """Draw a 2 with its upper left corner at (x, y)."""
    shape = np.array(
        [(0.05, 0.3), (0.2, 0.05), (0.5, 0.05), (0.6, 0.3), (0.05, 0.95), (0.65, 0.95)]
    )
    points = np.rint(np.array([x, y]) + shape * height).astype(np.int32)
    cv2.polylines(page, [points], False, ink, pen or max(1, height // 12), cv2.LINE_AA)
    return page


def sheet(height: int = 200, width: int = 200, grey: int = PAPER) -> Page:
    return np.full((height, width), grey, np.uint8)


def only(page: Page) -> Glyph:
    lines = find_lines(page)
    assert [len(line) for line in lines] == [1]
    return lines[0][0]


def assert_box_near(box: Box, x: int, y: int, height: int, tolerance: int) -> None:
    pen = height / 12
    outer = (x + 0.05 * height, y + 0.05 * height, 0.6 * height, 0.9 * height)
    wanted = np.add(outer, (-pen / 2, -pen / 2, pen, pen))
    assert np.abs(np.array(box) - wanted).max() <= tolerance, (box, wanted)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (0, 255), (230, 150), (90, 140), (128, 90)])
@pytest.mark.parametrize(("x", "y"), [(10, 10), (60, 50), (110, 90)])
def test_finds_a_digit_of_either_polarity_anywhere(paper: int, ink: int, x: int, y: int) -> None:
    glyph = only(draw_two(sheet(grey=paper), x, y, 80, ink=ink))
    assert_box_near(glyph.box, x, y, 80, tolerance=3)
    assert glyph.ink.dtype == np.uint8
    assert glyph.ink.max() == 255
    assert glyph.ink.shape == (glyph.box.height, glyph.box.width)


def test_gives_the_same_ink_for_a_page_and_its_negative() -> None:
    page = draw_two(sheet(), 40, 40, 100)
    glyph, negative = only(page), only(255 - page)
    assert glyph.box == negative.box
    assert np.array_equal(glyph.ink, negative.ink)


def test_keeps_grey_edges_and_clears_the_ground() -> None:
    ink = only(draw_two(sheet(), 40, 40, 100)).ink
    assert ((ink > 20) & (ink < 235)).sum() > 20
    assert (ink == 0).mean() > 0.4


@pytest.mark.parametrize("side", [20, 28, 64, 333, 1024, 1500, 3000])
def test_gives_boxes_at_full_size(side: int) -> None:
    x, y, height = side // 5, side // 8, side * 3 // 5
    glyph = only(draw_two(sheet(side, side), x, y, height))
    assert_box_near(glyph.box, x, y, height, tolerance=4 + side // 200)
    assert max(glyph.ink.shape) <= 1024


def test_finds_a_small_digit_on_a_large_photo() -> None:
    glyph = only(draw_two(sheet(3000, 4000), 1900, 1400, 200))
    assert_box_near(glyph.box, 1900, 1400, 200, tolerance=8)


def test_sees_through_shadow_and_grain() -> None:
    page = draw_two(sheet(600, 400), 120, 150, 250, ink=60, pen=12).astype(np.float64)
    page *= np.linspace(1, 0.45, 600)[:, np.newaxis] * np.linspace(0.8, 1, 400)
    page += np.random.default_rng(0).normal(0, 5, page.shape)
    glyph = only(np.clip(page, 0, 255).astype(np.uint8))
    assert_box_near(glyph.box, 120, 150, 250, tolerance=10)


def test_sees_through_printed_squares() -> None:
    page = sheet(400, 400)
    page[::50] = page[:, ::50] = 190
    glyph = only(draw_two(page, 120, 90, 200, pen=12))
    assert_box_near(glyph.box, 120, 90, 200, tolerance=8)


def test_leaves_a_frame_and_specks_out() -> None:
    page = draw_two(sheet(), 60, 50, 100)
    cv2.rectangle(page, (2, 2), (197, 197), 0, 3)
    page[20, 100] = page[180:182, 30:32] = 0
    assert_box_near(only(page).box, 60, 50, 100, tolerance=3)


def test_parts_a_digit_from_the_frame_that_it_touches() -> None:
    page = draw_two(sheet(), 60, 50, 100)
    page[:, :5] = page[:6] = page[143:147] = 0  # the 2 stands on a rule
    assert_box_near(only(page).box, 60, 50, 100, tolerance=8)


def test_leaves_out_a_neighbour_cut_off_by_the_edge() -> None:
    page = draw_two(draw_two(sheet(), 60, 50, 100), 185, 50, 100)
    assert_box_near(only(page).box, 60, 50, 100, tolerance=3)


def test_keeps_a_digit_that_reaches_the_edge() -> None:
    glyph = only(draw_two(sheet(), 60, 100, 110))
    assert glyph.box.y + glyph.box.height == 200
    assert glyph.box.height >= 90


def test_keeps_a_digit_that_fills_its_picture() -> None:
    page = draw_two(sheet(), 40, 40, 100)
    x, y, width, height = only(page).box
    glyph = only(page[y : y + height, x : x + width])
    assert glyph.box == Box(0, 0, width, height)


def test_joins_the_pieces_of_a_broken_stroke() -> None:
    page = sheet()
    cv2.ellipse(page, (95, 120), (30, 35), 0, -110, 150, INK, 8)
    whole = cv2.line(page.copy(), (75, 66), (120, 66), INK, 8)  # the loose bar of a 5
    assert only(page).box.y > 75
    assert only(whole).box.y <= 62


def test_takes_one_digit_of_two_that_stand_side_by_side() -> None:
    page = draw_two(draw_two(sheet(200, 300), 100, 50, 100), 180, 50, 95)
    assert_box_near(only(page).box, 100, 50, 100, tolerance=3)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 50), (50, 1), (2, 2), (28, 28), (300, 5), (900, 1300)]
)
@pytest.mark.parametrize("grey", [0, 127, 255])
def test_finds_nothing_on_a_page_of_one_grey(shape: tuple[int, int], grey: int) -> None:
    assert find_lines(sheet(*shape, grey)) == []


@pytest.mark.parametrize("shape", [(28, 28), (64, 64), (300, 200), (1200, 900)])
@pytest.mark.parametrize("spread", [1, 5, 20])
def test_finds_nothing_in_grain(shape: tuple[int, int], spread: int) -> None:
    for seed in range(5):
        page = np.random.default_rng(seed).normal(190, spread, shape)
        assert find_lines(np.clip(page, 0, 255).astype(np.uint8)) == []


def test_finds_nothing_on_a_shaded_blank_page() -> None:
    shade = np.add.outer(np.linspace(0, 90, 300), np.linspace(0, 60, 400)) + 80
    assert find_lines(shade.astype(np.uint8)) == []


def test_finds_nothing_but_specks_on_a_dusty_page() -> None:
    page = sheet(300, 300)
    at = np.random.default_rng(0).integers(0, 298, (30, 2))
    for y, x in at:
        page[y : y + 2, x : x + 2] = INK
    assert find_lines(page) == []


def test_finds_nothing_on_ruled_paper_without_a_digit() -> None:
    page = sheet(300, 300)
    page[40::60] = page[41::60] = 60
    assert find_lines(page) == []


@pytest.mark.parametrize("shape", [(14, 5000), (5000, 14), (40, 5000), (200, 3001), (3, 2000)])
def test_boxes_stay_inside_long_narrow_pages(shape: tuple[int, int]) -> None:
    page = sheet(*shape)
    page[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] // 3 + 20] = INK
    for line in find_lines(page):
        for glyph in line:
            assert glyph.box.x + glyph.box.width <= shape[1]
            assert glyph.box.y + glyph.box.height <= shape[0]


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_any_page_gives_boxes_inside_it(page: Page) -> None:
    for line in find_lines(page):
        for glyph in line:
            x, y, width, height = glyph.box
            assert 0 <= x < x + width <= page.shape[1]
            assert 0 <= y < y + height <= page.shape[0]
            assert glyph.ink.any()
