"""What was read stands on its picture, exactly there, as text, at every size."""

import re
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Locator, Page, ViewportSize, expect

from tests.browser.conftest import NewPage
from tests.conftest import Server
from tests.support.handwriting import write

pytestmark = [pytest.mark.browser, pytest.mark.server]
Png = Callable[..., bytes]
MAKE_PAGE = """
from dataclasses import replace
from datetime import UTC, datetime
import cv2, numpy as np
from ml.digits import Box
from predictions.core.records import PictureRecord
from predictions.stores import get_store
from tests.support.records import GLYPH_BYTES, make_record
text = "\\n".join("12345678901234567890" for _ in range(15))
record = make_record(text, at=datetime.now(UTC), width=1000, height=1400)
places = [Box(40 + n % 20 * 46, 40 + n // 20 * 88, 30, 44) for n in range(300)]
digits = (replace(digit, box=box) for digit, box in zip(record.digits, places))
record = replace(record, digits=tuple(digits))
preview = cv2.imencode(".webp", np.full((1024, 731), 255, np.uint8))[1].tobytes()
glyphs = bytes(300 * GLYPH_BYTES)
get_store().add(record, PictureRecord(id=record.id, preview=preview, glyphs=glyphs))
print(record.id)
"""
PHONE: ViewportSize = {"width": 360, "height": 740}


def encode(page: np.ndarray) -> bytes:
    return cv2.imencode(".png", page)[1].tobytes()


def lines_of(*lines: str, height: int = 60) -> bytes:
    """A picture of lines of the digits 0, 1, 2, 3 and 7."""
    pitch, lead = round(height * 0.9), round(height * 1.7)
    sheet = np.full((lead * (len(lines) + 1), pitch * (max(map(len, lines)) + 2)), 250, np.uint8)
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            write(sheet, int(digit), pitch * (column + 1), lead * (row + 0.6), height)
    return encode(sheet)


@pytest.fixture
def show(page: Page) -> Callable[..., Page]:
    """Have a picture read, and open its page: `show(content, page=other)`."""

    def read(content: bytes, *, page: Page = page) -> Page:
        file = FilePayload(name="picture.png", mimeType="image/png", buffer=content)
        answer = page.request.post("/api/v1/predictions", multipart={"file": file}).json()
        page.goto(f"/predictions/{answer['id']}/")
        expect(page.locator("[data-view-tools]")).to_be_visible()
        return page

    return read


def box_of(locator: Locator) -> dict[str, float]:
    box = locator.bounding_box()
    assert box is not None
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


@pytest.mark.parametrize("viewport", [PHONE, {"width": 1440, "height": 900}])
@pytest.mark.parametrize("shape", [(80, 700), (400, 400), (1600, 300)])
def test_boxes_lie_on_the_ink_at_every_size(
    new_page: NewPage, show: Callable[..., Page], viewport: ViewportSize, shape: tuple[int, int]
) -> None:
    width, height = shape
    sheet = np.full((height, width), 255, np.uint8)
    side = min(width, height) * 0.7
    x, y = width * 0.5 - 0.35 * side, height * 0.7 - side / 2
    write(sheet, 2, x, y, side)
    page = show(encode(sheet), page=new_page(viewport=viewport))
    for zoom in (False, True):
        if zoom:
            page.get_by_role("button", name="Zoom in").click()
        image, box = (box_of(page.locator(part)) for part in (".stage image", ".printed rect"))
        scale = image["width"] / width
        assert image["height"] / height == pytest.approx(scale, rel=0.02)
        # Where the ink is: what the picture shows and what its box surrounds.
        assert box["x"] - image["x"] == pytest.approx(
            (x + 0.05 * side) * scale, abs=0.1 * side * scale
        )
        assert box["y"] - image["y"] == pytest.approx(y * scale, abs=0.12 * side * scale)
        assert box["height"] == pytest.approx(side * scale, rel=0.2)


def test_the_digits_are_text_that_is_searched_selected_and_copied(
    show: Callable[..., Page], server: Server
) -> None:
    page = show(lines_of("1237", "7310"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    found = "find('1237') && document.querySelector('.printed').contains(getSelection().anchorNode)"
    assert [page.evaluate(found) for _ in range(2)] == [False, True]  # after the heading
    lines = page.locator(".printed text")
    expect(lines).to_have_text(["1237", "7310"])
    lines.nth(1).evaluate("line => getSelection().selectAllChildren(line)")
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()") == "7310"
    page.locator(".printed").evaluate("all => getSelection().selectAllChildren(all)")
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()").split() == ["1237", "7310"]
    page.evaluate("getSelection().removeAllRanges()")
    # By dragging over the digits, as a person does.
    first, last = (box_of(lines.nth(0).locator("tspan").nth(n)) for n in (0, 3))
    page.mouse.move(first["x"] + 1, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] - 1, last["y"] + last["height"] / 2, steps=5)
    page.mouse.up()
    assert page.evaluate("getSelection().toString()").strip() == "1237"


def test_marks_stand_among_the_digits(show: Callable[..., Page], decimal: bytes) -> None:
    page = show(decimal)
    expect(page.locator(".printed text")).to_have_text("2.48")
    expect(page.locator(".printed rect.mark")).to_have_count(1)
    point, two, four = (
        box_of(page.locator(".printed rect" + part))["x"]
        for part in (".mark", "[data-number='0']", "[data-number='1']")
    )
    assert two < point < four
    expect(page).to_have_title("2.48 – Handwritten digits")


def test_each_line_is_one_row_and_no_number_is_broken(
    new_page: NewPage, show: Callable[..., Page]
) -> None:
    for width in (360, 820, 1440):
        page = show(
            lines_of("2372032", "7302723"), page=new_page(viewport={"width": width, "height": 900})
        )
        rows = page.locator("output .row")
        expect(rows).to_have_count(2)
        assert [text.replace(" ", "") for text in rows.all_inner_texts()] == ["2372032", "7302723"]
        for row in rows.all():
            assert row.evaluate("row => row.getClientRects().length") == 1
            height = row.evaluate(
                "row => row.offsetHeight / parseFloat(getComputedStyle(row).fontSize)"
            )
            assert height < 1.6
        assert page.locator("output").evaluate("text => text.scrollWidth - text.clientWidth") <= 1


def test_arrow_keys_and_clicks_choose_a_digit(show: Callable[..., Page]) -> None:
    page = show(lines_of("1237", "7310"))
    chosen = page.locator(".printed").get_by_role("option", selected=True)
    heading = page.locator(".digit h3")
    page.locator(".printed rect").nth(2).click()
    expect(chosen).to_have_text("3")
    expect(heading).to_have_text("Digit 3 of 8")
    expect(page.get_by_alt_text("What the model saw and read as 3")).to_be_visible()
    for key, digit, number in (
        ("ArrowRight", "7", 4),
        ("ArrowDown", "0", 8),
        ("ArrowLeft", "1", 7),
        ("ArrowUp", "3", 3),
    ):
        page.keyboard.press(key)
        expect(chosen).to_have_text(digit)
        expect(heading).to_have_text(f"Digit {number} of 8")
    expect(page.locator(".printed rect.chosen")).to_have_count(1)


def test_zooms_and_pans_by_wheel_keys_and_drag(show: Callable[..., Page]) -> None:
    page = show(lines_of("1237", "7310"))
    stage, image = page.locator(".stage"), page.locator(".stage image")
    whole = box_of(image)["width"]
    target = box_of(page.locator(".printed rect").nth(5))
    at = (target["x"] + target["width"] / 2, target["y"] + target["height"] / 2)
    page.mouse.move(*at)
    page.mouse.wheel(0, 0)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -250)
    page.keyboard.up("Control")
    page.wait_for_function("document.querySelector('.stage').scrollLeft > 0")
    assert box_of(image)["width"] > 2 * whole
    assert page.evaluate("visualViewport.scale") == 1  # the picture, not the page
    # What was under the pointer still is.
    moved = box_of(page.locator(".printed rect").nth(5))
    assert moved["x"] - 2 <= at[0] <= moved["x"] + moved["width"] + 2
    before = stage.evaluate("stage => stage.scrollLeft")
    corner = box_of(stage)
    page.mouse.move(corner["x"] + corner["width"] - 30, corner["y"] + 20)
    page.mouse.down()
    page.mouse.move(corner["x"] + corner["width"] - 130, corner["y"] + 20, steps=4)
    page.mouse.up()
    assert stage.evaluate("stage => stage.scrollLeft") > before
    page.locator(".printed").focus()
    page.keyboard.press("Home")  # the first digit comes into view
    first = box_of(page.locator(".printed rect.chosen"))
    assert corner["x"] <= first["x"] <= corner["x"] + corner["width"]
    before = stage.evaluate("stage => stage.scrollLeft")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.stage').scrollLeft > before", arg=before
    )
    for _ in range(12):
        page.keyboard.press("-")
    assert box_of(image)["width"] == pytest.approx(whole, abs=1)
    page.keyboard.press("+")
    assert box_of(image)["width"] > whole


def test_zooms_by_two_fingers(new_page: NewPage, show: Callable[..., Page]) -> None:
    page = show(lines_of("1237"), page=new_page(viewport=PHONE, has_touch=True, is_mobile=True))
    image = page.locator(".stage image")
    whole = box_of(image)
    x, y = whole["x"] + whole["width"] / 2, whole["y"] + whole["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *across: float) -> None:
        points = [{"x": x + each, "y": y, "id": n} for n, each in enumerate(across)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -20, 20)
    for apart in (30, 45, 60, 75):
        touch("touchMove", -apart, apart)
    touch("touchEnd")
    assert box_of(image)["width"] > 2 * whole["width"]
    assert page.evaluate("visualViewport.scale") == 1


def test_fills_the_screen(show: Callable[..., Page]) -> None:
    page = show(lines_of("1237"))
    before = box_of(page.locator(".stage image"))["width"]
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement !== null")
    assert box_of(page.locator(".stage image"))["width"] > before
    page.locator(".printed rect").nth(1).click()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === null")


def test_picture_boxes_and_text_are_there_without_javascript(new_page: NewPage, png: Png) -> None:
    page = new_page(java_script_enabled=False)
    file = FilePayload(name="42.png", mimeType="image/png", buffer=png("4 2", size=300))
    answer = page.request.post("/api/v1/predictions", multipart={"file": file}).json()
    page.goto(f"/predictions/{answer['id']}/")
    expect(page.get_by_role("img", name="Uploaded picture: 42.png")).to_be_visible()
    expect(page.locator(".printed text")).to_have_text("42")
    expect(page.locator(".printed rect")).to_have_count(2)
    page.get_by_text("All probabilities").click()
    expect(page.locator(".probabilities tbody tr")).to_have_count(2)
    expect(page.get_by_role("button", name="Zoom in")).to_have_count(0)
    assert box_of(page.locator(".digit"))["height"] < 900  # not a panel for each digit


def test_three_hundred_digits_stay_usable(new_page: NewPage, server: Server) -> None:
    prediction_id = server.manage("shell", "-v0", "-c", MAKE_PAGE).strip()
    for viewport in (PHONE, {"width": 1440, "height": 900}):
        page = new_page(viewport=viewport)
        page.goto(f"/predictions/{prediction_id}/")
        expect(page.locator(".printed").get_by_role("option")).to_have_count(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert page.evaluate("document.documentElement.scrollHeight") < 2600
        page.locator(".printed").focus()
        page.keyboard.press("End")
        expect(page.locator(".printed").get_by_role("option", selected=True)).to_have_attribute(
            "data-number", "299"
        )
        expect(page.locator(".glyph")).to_have_attribute("src", re.compile("/digits/299.png$"))
        took = page.evaluate(
            """async () => {
              const list = document.querySelector('.printed');
              const start = performance.now();
              for (let n = 0; n < 50; n += 1) {
                const key = new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true });
                list.dispatchEvent(key);
              }
              return (performance.now() - start) / 50;
            }"""
        )
        assert took < 50  # milliseconds a key
