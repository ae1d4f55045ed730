"""The browsable API, the API's docs and the admin under this site's policy."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, Save
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]


@pytest.mark.parametrize("name", [None, "vera"])
def test_a_picture_is_sent_by_the_browsable_api(
    page: Page, save: Save, sign_in: SignIn, name: str | None
) -> None:
    if name:
        sign_in(page, name)
    page.goto("/api/v1/predictions")
    page.set_input_files("input[type=file][name=file]", save("7"))
    page.locator("#post-object-form").get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 201 Created")
    expect(page.locator(".response-info")).to_contain_text('"text": "7"')
    expect(page.locator(".response-info")).to_contain_text(
        f'"created_by": "{name}"' if name else '"created_by": null'
    )
    expect(page.locator("input[type=file][name=file]")).to_be_visible()


def test_pixels_are_sent_by_the_browsable_api_as_raw_json(
    page: Page, complaints: Complaints
) -> None:
    complaints.expect("status of 400")
    page.goto("/api/v1/predictions")
    page.get_by_text("Raw body").click()
    raw = page.locator("#post-generic-content-form")
    raw.get_by_label("Media type").select_option("application/json")
    raw.get_by_label("Content").fill('{"pixels": [[0]]}')
    raw.get_by_role("button", name="POST").click()
    expect(page.locator(".response-info")).to_contain_text("wrong_pixels")
    expect(page.locator("main")).to_be_focused()


def test_who_may_asks_for_options_and_deletes_in_the_browsable_api(
    page: Page, save: Save, sign_in: SignIn, complaints: Complaints
) -> None:
    complaints.expect("status of 404")
    sign_in(page, "olga")
    page.goto("/api/v1/predictions")
    page.set_input_files("input[type=file][name=file]", save("7"))
    page.locator("#post-object-form").get_by_role("button", name="POST").click()
    page.locator(".response-info a[href*='/api/v1/predictions/']").first.click()
    page.get_by_role("button", name="OPTIONS").click()
    expect(page.locator(".response-info")).to_contain_text("Allow: GET, DELETE")
    page.get_by_text("DELETE", exact=True).click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 204 No Content")
    page.reload()
    expect(page.locator(".response-info")).to_contain_text("There is no prediction with this id.")


def test_the_browsable_api_leads_back_and_to_signing_in(page: Page) -> None:
    page.goto("/api/v1/")
    expect(page.get_by_role("link", name="Sign in")).to_have_attribute(
        "href", "/accounts/login/?next=%2Fapi%2Fv1%2F"
    )
    page.get_by_role("link", name="Handwritten digits").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Read handwritten digits")


def test_the_docs_render_and_try_the_api(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_text("List predictions, newest first")).to_be_visible()
    page.get_by_text("List predictions, newest first").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table")).to_contain_text("200")
    expect(page.locator(".live-responses-table")).to_contain_text('"results"')


def test_the_docs_ask_only_this_site(page: Page, server: Server) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/api/docs/")
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []


@pytest.mark.each_store
def test_the_admin_lists_finds_opens_and_deletes(page: Page, save: Save, sign_in: SignIn) -> None:
    page.goto("/")
    page.set_input_files("#picture", save("7", "admin.png"))
    page.wait_for_url("**#answer")
    prediction_id = page.url.partition("prediction=")[2].partition("#")[0]
    page.goto("/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    page.locator("#content").get_by_role("link", name="Predictions", exact=True).last.click()
    first = page.locator("#result_list tbody tr").first
    expect(first).to_contain_text("admin.png")
    page.get_by_label("Or by ID").fill(prediction_id)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#content")).to_contain_text(prediction_id)
    image = page.get_by_alt_text("Uploaded picture")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 200
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".messagelist")).to_contain_text("Deleted: 1.")
    assert page.request.get(f"/predictions/{prediction_id}/").status == 404
    for path in ("/admin/auth/user/", "/admin/auth/group/", "/admin/auth/user/add/"):
        page.goto(path)
        expect(page.locator("#content h1")).to_be_visible()
