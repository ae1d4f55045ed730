"""WCAG 2.2 AA, as far as axe-core can tell: nothing is found on any page, by day and by night."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page

from tests.browser.conftest import Complaints, NewPage
from tests.browser.test_drawing import draw_by_mouse, eight

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"resultTypes": ["violations"], "runOnly": {"type": "tag", "values": TAGS}}
DOCS = "/api/docs/"


def violations(page: Page, *, without: str = "", rules_off: tuple[str, ...] = ()) -> list[str]:
    """What axe finds, a line each."""
    context = {"exclude": [[without]]} if without else None
    options = OPTIONS | {"rules": {rule: {"enabled": False} for rule in rules_off}}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{page.url}: {violation['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in found
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    new_page: NewPage,
    png: Callable[..., bytes],
    sign_in: SignIn,
    complaints: Complaints,
    scheme: str,
) -> None:
    for expected in ("status of 404", "status of 400", "status of 415"):
        complaints.expect(expected)
    page = new_page(color_scheme=scheme, reduced_motion="reduce")
    sign_in(page, "root")
    found = []
    pictures = [
        FilePayload(name=name, mimeType="image/png", buffer=content)
        for name, content in [("8.png", png("8")), ("words.png", b"words"), ("none.png", png(""))]
    ]
    page.set_input_files("#picture", pictures)
    page.locator(".entry[data-state=failed]").wait_for()
    page.locator("#answer").wait_for()
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    page.locator(".draw output").wait_for()
    found += violations(page)
    detail = page.get_by_role("link", name="All about it").get_attribute("href")
    for address in (
        f"{detail}",
        f"{detail}how",
        f"{detail}delete",
        "/predictions/",
        "/predictions/?status=odd",
        "/statistics/",
        "/statistics/?since=odd",
        "/review/",
        "/models/",
        "/models/0/",
        "/accounts/login/",
        "/accounts/tokens/",
        "/nothing",
    ):
        page.goto(address)
        for table in page.locator(".chart summary").all():
            table.click()
        found += violations(page)
    page.goto("/predictions/")
    page.get_by_role("checkbox").first.check()
    found += violations(page)
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_frame_of_the_docs(new_page: NewPage, scheme: str) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(DOCS)
    page.get_by_text("List predictions").wait_for()
    # Swagger UI brings a main landmark of its own.
    off = ("landmark-no-duplicate-main",)
    assert violations(page, without="#swagger-ui", rules_off=off) == []


def test_what_has_the_focus_can_be_seen(page: Page, sign_in: SignIn) -> None:
    sign_in(page, "olga")
    for address in ("/", "/predictions/", "/statistics/"):
        page.goto(address)
        for _ in range(12):
            page.keyboard.press("Tab")
            visible = page.evaluate(
                """() => {
                  for (let at = document.activeElement; at; at = at.parentElement) {
                    const own = getComputedStyle(at), after = getComputedStyle(at, "::after");
                    const seen = ({ outlineStyle, outlineWidth }) =>
                      outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
                    if (seen(own) || seen(after)) return true;
                  }
                  return document.activeElement === document.body;
                }"""
            )
            assert visible, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
