"""A person says what a picture really shows, and takes it back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Save

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]


@pytest.mark.each_store
@pytest.mark.parametrize("scripted", [True, False])
def test_corrects_and_takes_it_back(
    new_page: NewPage, save: Save, sign_in: SignIn, scripted: bool
) -> None:
    page = new_page(java_script_enabled=scripted)
    sign_in(page, "olga")
    page.set_input_files("#picture", save("7"))
    if not scripted:
        page.get_by_role("button", name="Read it").click()
    page.get_by_role("link", name="Details").click()
    page.get_by_label("What the picture shows").fill("1")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("output.text")).to_have_text("1")
    page.get_by_role("button", name="Undo last correction").click()
    expect(page.locator("output.text")).to_have_text("7")


@pytest.mark.each_store
def test_statistics_follow_what_is_read_and_corrected(
    page: Page, save: Save, sign_in: SignIn
) -> None:
    sign_in(page, "olga")
    page.goto("/statistics/")
    page.get_by_role("link", name="7 days").click()
    before = page.locator(".figures dd").first
    count = int(before.inner_text()) if before.count() else 0
    page.goto("/")
    page.set_input_files("#picture", save("7"))
    page.wait_for_url("**#answer")
    page.goto("/statistics/")
    expect(page.locator(".figures dd").first).to_have_text(str(count + 1))
    table = page.locator(".chart", has_text="Predictions per day")
    table.get_by_text("Show as table").click()
    expect(table.get_by_role("row").last).to_contain_text(str(count + 1))
