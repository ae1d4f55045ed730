"""The site in other languages: chosen in the footer, longer words, words that scripts show."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, NewPage, Save
from tests.browser.test_appearance import PHONE, SMALL_TARGETS, SMALLEST_TARGET
from tests.browser.test_first_page import MAX_HEADER_PX, box_of
from tests.support.pages import pages_missing_from

# Controls of which a part is beyond the edge of the sheet or of the window.
CLIPPED = """() => [...document.querySelectorAll("main button, main .button, header a")]
  .filter((e) => e.checkVisibility() && !e.closest("table, pre, [data-examples]"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth - 8)
  .map((e) => e.outerHTML.slice(0, 80))
"""
pytestmark = [pytest.mark.browser, pytest.mark.server]


def test_a_language_is_chosen_by_keyboard_and_without_javascript(new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/statistics/")
    page.get_by_role("button", name="Español").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Estadísticas")
    page.get_by_role("link", name="Modelos").click()
    expect(page).to_have_title(re.compile("Modelos – Dígitos manuscritos"))
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_role("button", name="Español")).to_have_attribute("aria-current", "true")


@pytest.mark.usefixtures("_users")
@pytest.mark.parametrize("language", ["de", "es"])
def test_longer_words_fit_a_phone(new_page: NewPage, save: Save, language: str) -> None:
    page = new_page(viewport=PHONE, locale=language)
    page.goto("/accounts/login/")
    page.fill("[name=username]", "root")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/")
    page.set_input_files("#picture", save("8"))
    page.wait_for_url("**#answer")
    detail = page.locator("a[href^='/predictions/0'][href$='/']").first.get_attribute("href")
    addresses = (
        page.url,
        "/",
        f"{detail}",
        f"{detail}how",
        f"{detail}delete",
        "/predictions/",
        "/uploads/",
        "/statistics/",
        "/models/",
        "/models/0/",
        "/review/",
        "/accounts/tokens/",
        "/api/v1/predictions?limit=1",
    )
    assert pages_missing_from(addresses, but=["upload"]) == set()
    wrong = []
    for address in addresses:
        page.goto(address)
        assert page.locator("html").get_attribute("lang") == language
        height = box_of(page.locator(".site-header")).height
        width = page.evaluate("document.documentElement.scrollWidth")
        small, clipped = page.evaluate(SMALL_TARGETS, SMALLEST_TARGET), page.evaluate(CLIPPED)
        if height > MAX_HEADER_PX or width > PHONE["width"] or small or clipped:
            wrong.append((address, height, width, small, clipped))
    assert wrong == []


def test_scripts_show_the_words_of_the_page(new_page: NewPage, save: Save) -> None:
    page = new_page(locale="de")
    page.goto("/uploads/")
    files = page.locator(".several input[multiple]:not([webkitdirectory])")
    files.set_input_files([save("7"), save("8", "eight.png")])
    page.get_by_role("button", name="Jetzt lesen").click()
    tray = page.locator(".tray")
    expect(tray.locator("[data-summary]")).to_have_text("Alle gelesen: 2")
    expect(tray.locator("[data-status]").first).to_have_text(re.compile("Gelesen|Zu prüfen"))
    expect(tray.locator("[data-confidence]").first).to_have_text(re.compile(r"\d,\d\s%"))
    page.goto("/predictions/")
    time = page.locator("time").first
    expect(time).to_have_text(re.compile(r"^(vor .+|jetzt)$"))
    expect(time).to_have_attribute("title", re.compile(r"^\d+\.\d+\.\d{4}, "))
