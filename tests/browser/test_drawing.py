"""A person draws a digit and sees at once what it says."""

import math
import re

import pytest
from playwright.sync_api import CDPSession, Page, Route, expect

from tests.browser.conftest import Complaints, NewPage

pytestmark = [pytest.mark.browser, pytest.mark.server]
Point = tuple[float, float]
RECENT = "/api/v1/predictions?limit=20"
PLACES = [(x, y) for y in (0.24, 0.5, 0.76) for x in (0.2, 0.5, 0.8)]


def eight(page: Page, place: Point, height: float = 0.4) -> list[Point]:
    """The points of an eight around a place: shares of the sheet's width and height."""
    sheet = page.locator("[data-canvas]")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    assert box is not None
    size = height * box["height"]
    return [
        (
            box["x"] + box["width"] * place[0] + size * 0.27 * math.sin(2 * turn),
            box["y"] + box["height"] * place[1] - size * 0.5 * math.cos(turn),
        )
        for turn in (2 * math.pi * step / 36 for step in range(37))
    ]


def draw_by_mouse(page: Page, points: list[Point]) -> None:
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points:
        page.mouse.move(*point)
    page.mouse.up()


def draw_by_touch(session: CDPSession, points: list[Point]) -> None:
    kinds = ["touchStart", *["touchMove"] * (len(points) - 1), "touchEnd"]
    for kind, (x, y) in zip(kinds, [*points, points[-1]], strict=True):
        touches = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def expect_text(page: Page, text: str) -> None:
    expect(page.get_by_role("status", name="Live prediction")).to_have_text(text)


def clear(page: Page) -> None:
    page.get_by_role("button", name="Clear").click()
    expect_text(page, "")


def test_reads_an_eight_drawn_by_mouse_wherever_it_stands(page: Page) -> None:
    page.goto("/")
    for place in PLACES:
        draw_by_mouse(page, eight(page, place))
        expect_text(page, "8")
        clear(page)


def test_reads_an_eight_drawn_by_finger_and_does_not_scroll(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.goto("/")
    session = page.context.new_cdp_session(page)
    for place in PLACES:
        points = eight(page, place)
        scrolled = page.evaluate("scrollY")
        draw_by_touch(session, points)
        assert page.evaluate("scrollY") == scrolled
        expect_text(page, "8")
        clear(page)


@pytest.mark.each_store
def test_answers_while_the_pen_is_down_and_keeps_nothing(page: Page) -> None:
    page.goto("/predictions/")
    before = page.locator(".history li").count()
    page.goto("/")
    points = eight(page, (0.5, 0.5), 0.7)
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points:
        page.mouse.move(*point)
    expect_text(page, "8")
    likeliest = page.get_by_role("list", name="Likeliest digits").get_by_role("listitem")
    expect(likeliest).to_have_count(3)
    expect(likeliest.first).to_contain_text(re.compile(r"8\s.*%", re.DOTALL))
    assert float(likeliest.first.locator("rect").get_attribute("width") or 0) > 50
    page.goto("/predictions/")
    assert page.locator(".history li").count() == before


@pytest.mark.each_store
def test_keeps_a_drawing_when_asked_to(page: Page) -> None:
    page.goto("/")
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/?prediction=*#answer")
    expect(page.locator("output.text")).to_have_text("8")
    expect(page.locator("[data-canvas]")).to_be_hidden()
    details = page.get_by_role("link", name="Details").get_attribute("href")
    page.get_by_role("link", name="Write", exact=True).click()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()  # it is kept, so it is gone
    page.goto(f"{details}")
    expect(page.get_by_text("Drawing pad")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("8")
    expect(page.get_by_text("drawing.png", exact=True)).to_be_visible()


def test_a_stroke_that_is_taken_back_is_not_gone_on_with(page: Page) -> None:
    page.goto("/")
    page.locator("[data-canvas]").focus()
    for key in (" ", "ArrowRight", "Control+z", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Save")).to_be_enabled()
    box = page.locator("[data-canvas]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.get_by_role("button", name="Clear", exact=True).evaluate("(button) => button.click()")
    page.mouse.move(box["x"] + 70, box["y"] + 70)
    page.mouse.up()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()


def test_a_drawing_is_kept_once_however_often_it_is_sent(
    page: Page, complaints: Complaints
) -> None:
    complaints.expect("ERR_FAILED")
    page.goto("/")
    before = page.request.get(RECENT).json()["results"]
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    expect_text(page, "8")

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/v1/predictions", lose_answer, times=1)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("output.text")).to_have_text("8")
    last = before[0]["id"] if before else ""
    new = [kept for kept in page.request.get(RECENT).json()["results"] if kept["id"] > last]
    assert [(kept["file_name"], kept["source"]) for kept in new] == [("drawing.png", "canvas")]


def test_takes_strokes_back_and_clears(page: Page) -> None:
    page.goto("/")
    for name in ("Undo", "Clear", "Save"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    expect_text(page, "8")
    page.keyboard.press("Control+z")
    page.locator("[data-canvas]").focus()
    page.keyboard.press("Control+z")
    expect_text(page, "")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_is_drawn_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.locator("[data-canvas]").focus()
    for key, times in [("ArrowUp", 10), ("Space", 1), ("ArrowDown", 22), ("Space", 1)]:
        for _ in range(times):
            page.keyboard.press(key)
    page.keyboard.press("ArrowLeft")
    expect_text(page, "1")


def test_strokes_are_as_wide_as_was_chosen_and_as_fine_as_the_screen(
    new_page: NewPage, complaints: Complaints
) -> None:
    complaints.expect("getImageData")  # this test asks for the pixels, the page does not
    page = new_page(device_scale_factor=3)
    page.goto("/")
    sheet = page.locator("[data-canvas]")
    assert sheet.evaluate("sheet => sheet.width / sheet.clientWidth") == pytest.approx(3, abs=0.01)
    ink = """sheet => sheet.getContext("2d").getImageData(0, 0, sheet.width, sheet.height)
      .data.filter((value, at) => at % 4 === 3 && value > 0).length"""
    inked = []
    for width in (1, 6):
        page.get_by_label("Stroke").fill(str(width))
        draw_by_mouse(page, eight(page, (0.5, 0.5), 0.6))
        inked.append(sheet.evaluate(ink))
        clear(page)
    assert inked[1] > 3 * inked[0]


def test_an_answer_that_was_overtaken_is_not_shown(page: Page) -> None:
    page.goto("/")
    held: list[Route] = []
    page.route("**/api/**", lambda route: held.append(route))
    with page.expect_request("**/api/v1/predictions?store=false"):
        draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    with page.expect_event("requestfailed") as overtaken:
        page.get_by_role("button", name="Clear").click()
    assert overtaken.value.failure == "net::ERR_ABORTED"
    expect_text(page, "")
    page.unroute_all(behavior="ignoreErrors")


def test_nothing_is_asked_about_a_drawing_that_was_cleared(page: Page) -> None:
    """An answer that comes between a stroke and the pause after it asks anew at once."""
    page.clock.install()
    page.goto("/")
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    held: list[Route] = []
    page.route("**/api/**", lambda route: held.append(route))
    for place in PLACES[:2]:  # the second finds the request about the first under way
        draw_by_mouse(page, eight(page, place))
        page.clock.run_for(300)
    draw_by_mouse(page, eight(page, PLACES[2]))
    with page.expect_request("**/api/v1/predictions?store=false"):
        held[0].continue_()
    page.get_by_role("button", name="Clear").click()
    page.clock.run_for(1000)
    expect_text(page, "")
    assert len(held) == 2
    page.unroute_all(behavior="ignoreErrors")


def test_says_when_the_site_cannot_be_reached_and_goes_on_by_itself(
    page: Page, complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page.goto("/")
    page.context.set_offline(True)
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    alert = page.locator("[data-drawing-problem]")
    expect(alert).to_contain_text("The site cannot be reached. Your drawing is still here")
    page.context.set_offline(False)
    expect_text(page, "8")
    expect(alert).to_be_hidden()
