"""WCAG 2.2 AA: axe-core finds nothing on any page, and all of it is reached by keyboard."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Complaints, NewPage
from tests.browser.test_drawing import draw_by_mouse, eight
from tests.browser.test_reviewing import QUEUE
from tests.conftest import Server
from tests.support.pages import pages_missing_from

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {
    "resultTypes": ["violations"],
    "preload": False,  # it would add style sheets, which the policy of this site forbids
}
ALL_RULES = {"runOnly": {"type": "tag", "values": TAGS}}
OF_COLOUR = ["color-contrast", "link-in-text-block"]
COLOURS = {"runOnly": {"type": "rule", "values": OF_COLOUR}}
OF_PLACE = ["target-size", "scrollable-region-focusable"]
PLACES_AND_COLOURS = {"runOnly": {"type": "rule", "values": [*OF_COLOUR, *OF_PLACE]}}
SETTLE = """async () => {
  await new Promise(requestAnimationFrame);
  await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
}"""
PHONE, TABLET, DESK = 360, 820, 1440  # CSS pixels
# Swagger UI's own elements: a main landmark and headings of its own, buttons within buttons.
OF_SWAGGER = (
    "heading-order",
    "landmark-main-is-top-level",
    "landmark-no-duplicate-main",
    "landmark-unique",
    "nested-interactive",
)
# All that can be worked with, numbered in the order of the page.
NUMBER = """() => [...document.querySelectorAll(
    "a[href], button:enabled, input:enabled, select, textarea, summary, [tabindex='0']"
  )].filter((e) => e.checkVisibility() && e.type !== "hidden").map((e, number) => {
    e.dataset.number = number;
    return e.outerHTML.slice(0, 120);
  })"""
FOCUSED = """() => {
  const focused = document.activeElement;
  for (let at = focused; at; at = at.parentElement) {
    for (const style of [getComputedStyle(at), getComputedStyle(at, "::after")]) {
      const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      if (seen) return { number: Number(focused.dataset.number), seen };
    }
  }
  return { number: Number(focused.dataset.number), seen: false };
}"""


def violations(page: Page, *, rules_off: tuple[str, ...] = ()) -> list[str]:
    """What axe finds at three widths by day and by night, a line each.

    Everything at a phone's and a desk's width, where other elements are shown; in between what
    depends on where things stand, and by night what depends on colours: the rest is the same there.
    """
    looks: list[tuple[int, Literal["light", "dark"], dict[str, Any]]] = [
        (PHONE, "light", ALL_RULES | {"rules": {rule: {"enabled": False} for rule in rules_off}}),
        (PHONE, "dark", COLOURS),
        (TABLET, "dark", COLOURS),
        (TABLET, "light", PLACES_AND_COLOURS),
        (DESK, "light", ALL_RULES | {"rules": {rule: {"enabled": False} for rule in rules_off}}),
        (DESK, "dark", COLOURS),
    ]
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = []
    for width, scheme, options in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(SETTLE)  # others' pages fade from one theme to the other
        answer = page.evaluate("(options) => axe.run(document, options)", options | OPTIONS)
        found += [
            f"{page.url} ({width}, {scheme}): {violation['id']}: "
            f"{node['html'][:160]} {node['failureSummary'][:300]}"
            for violation in answer["violations"]
            for node in violation["nodes"]
        ]
    return found


@pytest.fixture
def prediction(page: Page, png: Callable[..., bytes]) -> str:
    """The id of a prediction of two digits."""
    file = FilePayload(name="42.png", mimeType="image/png", buffer=png("42", size=400))
    answer = page.request.post("/api/v1/predictions", multipart={"file": file})
    assert answer.status == 201
    found: str = answer.json()["id"]
    return found


def test_axe_finds_nothing_where_pictures_are_read(
    new_page: NewPage,
    png: Callable[..., bytes],
    complaints: Complaints,
) -> None:
    complaints.expect("status of 415")
    page = new_page(reduced_motion="reduce")
    page.goto("/")
    found = violations(page)
    page.keyboard.press("?")
    found += violations(page)
    page.keyboard.press("Escape")
    draw_by_mouse(page, eight(page, (0.5, 0.5), 0.7))
    page.locator(".live output").wait_for()
    page.locator("[data-seen]").wait_for()
    found += violations(page)
    words = FilePayload(name="words.png", mimeType="image/png", buffer=b"words")
    page.set_input_files("#picture", words)
    page.locator(".task[data-state=failed]").wait_for()
    page.set_input_files(
        "#picture", FilePayload(name="8.png", mimeType="image/png", buffer=png("8"))
    )
    page.locator("#answer").wait_for()
    found += violations(page)
    assert found == []


def test_axe_finds_nothing_where_marks_are_shown(new_page: NewPage, decimal: bytes) -> None:
    page = new_page()
    file = FilePayload(name="decimal.png", mimeType="image/png", buffer=decimal)
    answer = page.request.post("/api/v1/predictions", multipart={"file": file})
    found = []
    for address in (f"/predictions/{answer.json()['id']}/", "/predictions/?limit=3"):
        page.goto(address)
        expect(page.locator(".marked-text").first).to_contain_text("2.48")
        found += violations(page)
    assert found == []


def test_axe_finds_nothing_where_people_correct(
    new_page: NewPage, server: Server, sign_in: SignIn
) -> None:
    code = QUEUE.format(texts=("42", "12345678901234567890"), sure=(0.4, 0.9) * 10)
    short, long = server.manage("shell", "-v0", "-c", code).split()
    page = new_page()
    page.goto(f"/predictions/{short}/")  # who may not correct
    page.get_by_text("That is wrong?").click()
    found = violations(page)
    sign_in(page, "olga")
    page.goto(f"/predictions/{short}/")
    page.locator(".printed").focus()
    page.keyboard.press("7")
    expect(page.locator(".was-read")).to_be_visible()
    for address in (f"/predictions/{short}/", f"/predictions/{long}/"):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        page.get_by_role("button", name="Zoom in").click()
        found += violations(page)
    page.goto("/review/")
    page.get_by_role("button", name="Start reviewing").click()
    expect(page.get_by_role("listbox")).to_be_focused()
    found += violations(page)
    page.keyboard.press("i")  # leave nothing in the queue
    expect(page.get_by_text("The review queue is empty.")).to_be_visible()
    assert found == []


def test_axe_finds_nothing_on_any_other_page(
    new_page: NewPage,
    prediction: str,
    sign_in: SignIn,
    complaints: Complaints,
) -> None:
    for status in ("400", "404", "405"):
        complaints.expect(f"status of {status}")
    page = new_page(reduced_motion="reduce")
    found = []
    for address in ("/accounts/login/?next=/review/", "/admin/login/"):
        page.goto(address)
        found += violations(page)
    sign_in(page, "root")
    addresses = (
        f"/predictions/{prediction}/",
        f"/predictions/{prediction}/how",
        f"/predictions/{prediction}/delete",
        "/uploads/",
        "/predictions/?limit=3",
        "/predictions/?status=odd",
        "/predictions/?since=2090-01-01",
        "/statistics/",
        "/statistics/?since=odd",
        "/review/",
        "/models/",
        "/models/0/",
        "/accounts/tokens/",
        "/accounts/password/",
        "/predictions/?limit=3&view=grid",
        "/nothing",
        "/api/v1/",
        "/api/v1/predictions?limit=1",
        f"/api/v1/predictions/{prediction}",
        f"/api/v1/predictions/{prediction}/corrections",
        "/api/v1/predictions/batch",
        "/api/v1/models/9",
        "/admin/",
        "/admin/predictions/prediction/",
        "/admin/predictions/prediction/?digit=odd",
        f"/admin/predictions/prediction/{prediction}/change/",
        f"/admin/predictions/prediction/{prediction}/delete/",
        "/admin/predictions/modelversion/",
        "/admin/predictions/auditentry/",
        "/admin/auth/user/",
        "/admin/knox/authtoken/",
        "/admin/knox/authtoken/add/",
    )
    # `/` has tests of its own above.
    assert pages_missing_from(addresses, but=["read", "upload"]) == set()
    for address in addresses:
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        found += violations(page)
    page.goto("/predictions/?limit=3")
    page.get_by_role("checkbox").first.check()
    found += violations(page)
    assert found == []


def test_axe_finds_nothing_in_the_docs_of_the_api(new_page: NewPage) -> None:
    page = new_page()
    page.goto("/api/docs/")
    page.get_by_text("List predictions, newest first").wait_for()
    assert violations(page, rules_off=OF_SWAGGER) == []


def test_all_is_reached_by_keyboard_in_order_and_seen_to_have_the_focus(
    page: Page, prediction: str, sign_in: SignIn
) -> None:
    sign_in(page, "olga")
    for address in (
        "/",
        f"/?prediction={prediction}",
        "/predictions/?limit=2",
        f"/predictions/{prediction}/",
        "/statistics/",
        "/review/",
        "/models/",
        "/api/v1/predictions?limit=1",
    ):
        page.goto(address, wait_until="networkidle")  # scripts bring parts of some pages
        everything = page.evaluate(NUMBER)
        page.evaluate("document.activeElement.blur()")
        passed: list[int] = []
        # A field for dates is passed part by part.
        while passed[-1:] != [len(everything) - 1] and len(passed) < 9 * len(everything):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            assert focused["seen"], page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            passed.append(focused["number"])
        assert list(dict.fromkeys(passed)) == list(range(len(everything))), (address, everything)
