"""A digit is found wherever and however it stands, and nothing is found where nothing is."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from ml.digits import Box
from ml.page.cuts import cut
from ml.page.segmentation import sheets
from ml.page.sheet import Glyph, Sheet, cut_out

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


def first_sheet(page: Page) -> Sheet | None:
    return next(sheets(page), None)


def find_lines(page: Page) -> list[list[Glyph]]:
    """What the likeliest view shows, no piece cut."""
    sheet = first_sheet(page)
    if sheet is None:
        return []
    return [[cut_out(sheet, [piece]) for piece in line.pieces] for line in sheet.lines]


def only_glyph(page: Page) -> Glyph:
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
    glyph = only_glyph(draw_two(sheet(grey=paper), x, y, 80, ink=ink))
    assert_box_near(glyph.box, x, y, 80, tolerance=3)
    assert glyph.ink.dtype == np.uint8
    assert glyph.ink.max() == 255
    assert glyph.ink.shape == (glyph.box.height, glyph.box.width)


def test_gives_the_same_ink_for_a_page_and_its_negative() -> None:
    page = draw_two(sheet(), 40, 40, 100)
    glyph, negative = only_glyph(page), only_glyph(255 - page)
    assert glyph.box == negative.box
    assert np.array_equal(glyph.ink, negative.ink)


def test_keeps_grey_edges_and_clears_the_ground() -> None:
    ink = only_glyph(draw_two(sheet(), 40, 40, 100)).ink
    assert ((ink > 20) & (ink < 235)).sum() > 20
    assert (ink == 0).mean() > 0.4


@pytest.mark.parametrize("side", [20, 28, 64, 333, 1024, 1500, 3000])
def test_gives_boxes_at_full_size(side: int) -> None:
    x, y, height = side // 5, side // 8, side * 3 // 5
    glyph = only_glyph(draw_two(sheet(side, side), x, y, height))
    assert_box_near(glyph.box, x, y, height, tolerance=4 + side // 200)
    assert max(glyph.ink.shape) <= 1024


def test_finds_a_small_digit_on_a_large_photo() -> None:
    glyph = only_glyph(draw_two(sheet(3000, 4000), 1900, 1400, 200))
    assert_box_near(glyph.box, 1900, 1400, 200, tolerance=8)


def test_sees_through_shadow_and_grain() -> None:
    page = draw_two(sheet(600, 400), 120, 150, 250, ink=60, pen=12).astype(np.float64)
    page *= np.linspace(1, 0.45, 600)[:, np.newaxis] * np.linspace(0.8, 1, 400)
    page += np.random.default_rng(0).normal(0, 5, page.shape)
    glyph = only_glyph(np.clip(page, 0, 255).astype(np.uint8))
    assert_box_near(glyph.box, 120, 150, 250, tolerance=10)


def test_sees_through_printed_squares() -> None:
    page = sheet(400, 400)
    page[::50] = page[:, ::50] = 190
    glyph = only_glyph(draw_two(page, 120, 90, 200, pen=12))
    assert_box_near(glyph.box, 120, 90, 200, tolerance=8)


def test_leaves_a_frame_and_specks_out() -> None:
    page = draw_two(sheet(), 60, 50, 100)
    cv2.rectangle(page, (2, 2), (197, 197), 0, 3)
    page[20, 100] = page[180:182, 30:32] = 0
    assert_box_near(only_glyph(page).box, 60, 50, 100, tolerance=3)


def test_parts_a_digit_from_the_frame_that_it_touches() -> None:
    page = draw_two(sheet(), 60, 50, 100)
    page[:, :5] = page[:6] = page[143:147] = 0  # the 2 stands on a rule
    assert_box_near(only_glyph(page).box, 60, 50, 100, tolerance=8)


def test_leaves_out_a_neighbour_cut_off_by_the_edge() -> None:
    page = draw_two(draw_two(sheet(), 60, 50, 100), 185, 50, 100)
    assert_box_near(only_glyph(page).box, 60, 50, 100, tolerance=3)


def test_keeps_a_digit_that_reaches_the_edge() -> None:
    glyph = only_glyph(draw_two(sheet(), 60, 100, 110))
    assert glyph.box.y + glyph.box.height == 200
    assert glyph.box.height >= 90


def test_a_view_keeps_a_digit_that_fills_its_picture() -> None:
    page = draw_two(sheet(), 40, 40, 100)
    x, y, width, height = only_glyph(page).box
    cropped = page[y : y + height, x : x + width]
    with_rulings = next(sheet for sheet in sheets(cropped) if sheet.view.ruled)
    ((piece,),) = (line.pieces for line in with_rulings.lines)
    box = cut_out(with_rulings, [piece]).box
    assert np.abs(np.subtract(box, (0, 0, width, height))).max() <= 1


def test_keeps_the_pieces_of_a_broken_stroke_together() -> None:
    page = sheet()
    cv2.ellipse(page, (95, 120), (30, 35), 0, -110, 150, INK, 8)
    whole = cv2.line(page.copy(), (75, 66), (120, 66), INK, 8)  # the loose bar of a 5
    assert only_glyph(page).box.y > 75
    found = first_sheet(whole)
    assert found is not None
    (line,) = found.lines
    assert len(line.pieces) == 2
    assert cut_out(found, line.pieces).box.y <= 62


def test_a_digit_broken_across_is_one_piece() -> None:
    page = draw_two(sheet(), 40, 40, 120)
    page[96:99] = PAPER
    glyph = only_glyph(page)
    assert_box_near(glyph.box, 40, 40, 120, tolerance=3)


def test_lists_digits_in_reading_order() -> None:
    page = sheet(400, 600)
    places = [(40, 60), (180, 70), (320, 55), (60, 240), (220, 250)]
    for x, y in places:
        draw_two(page, x, y, 90)
    lines = find_lines(page)
    assert [len(line) for line in lines] == [3, 2]
    for glyph, (x, y) in zip([g for line in lines for g in line], places, strict=True):
        assert_box_near(glyph.box, x, y, 90, tolerance=5)


@pytest.mark.parametrize("degrees", [-10, -4, 6, 10])
def test_follows_lines_that_climb_or_fall(degrees: float) -> None:
    page = sheet(700, 900)
    for y in (200, 340, 480):
        for x in range(120, 760, 90):
            draw_two(page, x, y, 60)
    turn = cv2.getRotationMatrix2D((450, 350), degrees, 1)
    turned = cv2.warpAffine(page, turn, (900, 700), borderValue=PAPER)
    assert [len(line) for line in find_lines(np.asarray(turned))] == [8, 8, 8]


def test_takes_printed_boxes_away_and_leaves_what_is_in_them() -> None:
    page = sheet(160, 500)
    for x in (30, 120, 210, 300):
        cv2.rectangle(page, (x, 20), (x + 75, 130), INK, 3)
        draw_two(page, x + 18, 35, 80)
    draw_two(page, 395, 35, 80)
    (line,) = find_lines(page)
    assert len(line) == 5
    for glyph, x in zip(line, (48, 138, 228, 318, 395), strict=True):
        assert_box_near(glyph.box, x, 35, 80, tolerance=4)


def test_keeps_a_zero_that_looks_like_a_box() -> None:
    page = sheet()
    cv2.ellipse(page, (100, 100), (35, 60), 0, 0, 360, INK, 8)
    assert only_glyph(page).box.height >= 120


def test_measures_the_slant_of_a_line() -> None:
    page = sheet(200, 700)
    for x in range(80, 600, 90):
        draw_two(page, x, 60, 80)
        cv2.line(page, (x + 70, 140), (x + 70, 60), INK, 7)
    leaning = np.array([[1, -0.5, 60], [0, 1, 0]], np.float32)  # half a pixel to the right a pixel
    slanted = np.asarray(cv2.warpAffine(page, leaning, (700, 200), borderValue=PAPER))
    upright, leant = first_sheet(page), first_sheet(slanted)
    assert upright is not None
    assert leant is not None
    assert upright.lines[0].slant == pytest.approx(0, abs=0.11)
    assert leant.lines[0].slant == pytest.approx(0.5, abs=0.11)


def test_cuts_digits_that_touch() -> None:
    page = draw_two(draw_two(sheet(200, 300), 80, 50, 100), 141, 50, 100)
    found = first_sheet(page)
    assert found is not None
    (line,) = found.lines
    assert len(line.pieces) == 1
    cut(found, line, line.pieces)
    assert len(line.pieces) >= 2
    borders = [found.boxes[piece][0] for piece in line.pieces[1:]]
    assert min(abs(border - 146) for border in borders) <= 6
    ink = sum((found.labels == piece).sum() for piece in line.pieces)
    assert ink == (found.labels > 0).sum()
    assert set(line.pieces[1:]) == line.cut


def test_small_writing_is_enlarged_and_boxes_are_still_at_full_size() -> None:
    page = sheet(30, 120)
    for x in (10, 40, 70):
        draw_two(page, x, 6, 18)
    found = first_sheet(page)
    assert found is not None
    assert found.scale < 1
    (line,) = find_lines(page)
    for glyph, x in zip(line, (10, 40, 70), strict=True):
        assert_box_near(glyph.box, x, 6, 18, tolerance=3)


def test_a_page_of_countless_bits_is_no_writing() -> None:
    page = sheet(900, 900)
    page.reshape(100, 9, 100, 9)[:, 2:6, :, 2:6] = INK
    assert find_lines(page) == []


@pytest.mark.parametrize("fall", [-28, -12, 20, 36])
def test_takes_rules_away_that_climb_or_fall(fall: int) -> None:
    page = draw_two(sheet(560, 900), 300, 230, 120)
    for y in (100, 342, 450):  # the 2 stands on one
        cv2.line(page, (0, y - fall // 2), (900, y + fall // 2), 90, 3)
    found = first_sheet(page)
    assert found is not None
    assert not found.view.ruled
    digits = [p for line in found.lines for p in line.pieces if found.boxes[p][3] > 60]
    assert len(digits) == 1
    assert found.boxes[digits[0]][2] < 120, "no rule sticks to it"


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
