"""From a telephone to a desk, by day and by night."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize

from tests.browser.conftest import Complaints, NewPage, Save
from tests.support.pages import pages_missing_from

pytestmark = [pytest.mark.browser, pytest.mark.server]
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1440, "height": 900}
DOCS = "/api/docs/"
SMALLEST_TARGET = 24  # CSS pixels, WCAG 2.2, 2.5.8

# What can be clicked and is not part of a sentence, by its visible box.
SMALL_TARGETS = """
(smallest) => [...document.querySelectorAll("a, button, select, input:not([type=hidden])")]
  .filter((e) => e.checkVisibility() && !e.closest(".lead, pre, #swagger-ui, .skip"))
  .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
  .filter(([, box]) => box.width < smallest || box.height < smallest)
  .map(([html, box]) => `${html} ${box.width}×${box.height}`)
"""
BACKGROUND = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"


@pytest.fixture
def visit(save: Save, sign_in: Callable[[Page, str], None]) -> Callable[[Page], list[str]]:
    """Read a picture as somebody who may everything and return the addresses of all pages."""

    def read(page: Page) -> list[str]:
        sign_in(page, "olga")
        page.set_input_files("#picture", save("8", "a-rather-long-file-name" * 4 + ".png"))
        page.wait_for_url("**#answer")
        detail = page.get_by_role("link", name="Details").get_attribute("href")
        addresses = [
            page.url,
            "/",
            "/uploads/",
            "/predictions/",
            "/predictions/?status=odd",
            f"{detail}",
            f"{detail}how",
            f"{detail}delete",
            "/statistics/",
            "/review/",
            "/models/",
            "/models/0/",
            "/accounts/login/",
            "/accounts/tokens/",
            "/api/v1/predictions?limit=1",
            "/predict",
            "/nothing",
            DOCS,
        ]
        assert pages_missing_from(addresses, but=["upload"]) == set()
        return addresses

    return read


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_and_follows_the_scheme(
    new_page: NewPage,
    visit: Callable[[Page], list[str]],
    complaints: Complaints,
    viewport: ViewportSize,
    scheme: str,
) -> None:
    complaints.expect("status of 404")
    complaints.expect("status of 400")
    page = new_page(viewport=viewport, color_scheme=scheme)
    for address in visit(page):
        page.goto(address)
        if address == DOCS:
            page.get_by_text("List predictions").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], address
        assert page.evaluate(SMALL_TARGETS, SMALLEST_TARGET) == [], address
        brightness = sum(page.evaluate(BACKGROUND)) / 3
        assert brightness > 230 if scheme == "light" else brightness < 40, address


def test_a_page_can_be_enlarged_twice(
    new_page: NewPage, visit: Callable[[Page], list[str]], complaints: Complaints
) -> None:
    complaints.expect("status of 404")
    complaints.expect("status of 400")
    # 1,280 pixels at 400 % are 320 (WCAG 2.2, 1.4.10).
    page = new_page(viewport={"width": 320, "height": 256})
    for address in visit(page):
        if address != DOCS:  # a third party's tables
            page.goto(address)
            for _ in range(2):  # also with all that can be opened
                assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
                page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def test_moves_nothing_for_who_asks_for_calm(new_page: NewPage) -> None:
    page = new_page(reduced_motion="reduce")
    page.goto("/")
    moving = page.evaluate(
        "[...document.querySelectorAll('*')].filter("
        "(e) => parseFloat(getComputedStyle(e).transitionDuration) > 0).length"
    )
    assert moving == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
