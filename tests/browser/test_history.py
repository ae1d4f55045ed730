"""A person looks through what was read."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import NewPage, Save
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]


@pytest.fixture
def send(page: Page, server: Server, png: Callable[..., bytes]) -> Callable[[str, str], str]:
    """Send a picture to the API and return the address of its page."""

    def post(text: str, name: str) -> str:
        file = FilePayload(name=name, mimeType="image/png", buffer=png(text))
        answer = page.request.post("/api/v1/predictions", multipart={"file": file})
        assert answer.status == 201
        return f"/predictions/{answer.json()['id']}/"

    return post


def files(page: Page) -> Locator:
    """The file names of the page; what is expected of them is waited for."""
    return page.locator(".history-file")


@pytest.mark.each_store
def test_lists_filters_and_opens(page: Page, send: Callable[[str, str], str]) -> None:
    send("3", "three.png")
    send("", "blank.png")
    page.goto("/")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("listitem").first).to_contain_text("No digit")
    expect(page.locator("time").first).to_contain_text(re.compile("now|second|minute"))
    expect(files(page).first).to_have_text("blank.png")
    expect(files(page).nth(1)).to_have_text("three.png")
    thumbnail = page.locator(".history img").nth(1)
    assert thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") == 200
    page.get_by_text("More filters").click()
    page.get_by_label("Digit", exact=True).select_option("3")
    page.get_by_role("button", name="Search").click()
    expect(files(page).first).to_have_text("three.png")
    assert all("3" in text for text in page.locator(".history-text").all_inner_texts())
    page.get_by_label("Digit", exact=True).select_option("")
    page.get_by_label("Status", exact=True).select_option("Could not be read")
    page.get_by_role("button", name="Search").click()
    expect(files(page).first).to_have_text("blank.png")
    page.get_by_label("Status", exact=True).select_option("")
    page.get_by_label("From (UTC)", exact=True).fill("2090-01-01")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No matching predictions.")).to_be_visible()
    page.get_by_role("link", name="Remove the filter From").click()
    page.get_by_label("File name", exact=True).fill("three")
    page.get_by_label("File name", exact=True).press("Enter")
    expect(files(page).first).to_have_text("three.png")
    page.get_by_role("link", name="Grid").click()
    expect(page.locator(".history.grid")).to_be_visible()
    expect(files(page).first).to_have_text("three.png")
    page.get_by_role("link", name="Show all").click()
    # All of an entry is its link.
    page.get_by_role("listitem").nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3")
    expect(page.locator("output.text")).to_have_text("3")


@pytest.mark.each_store
def test_pages_go_on_where_the_one_before_ended(
    page: Page, send: Callable[[str, str], str]
) -> None:
    for number in range(5):
        send("1", f"page-{number}.png")
    page.goto("/predictions/?limit=2")
    expect(files(page)).to_have_text(["page-4.png", "page-3.png"])
    send("1", "meanwhile.png")
    page.get_by_role("link", name="Older").click()
    expect(files(page)).to_have_text(["page-2.png", "page-1.png"])
    page.get_by_role("link", name="Older").click()
    expect(files(page).first).to_have_text("page-0.png")
    page.get_by_role("link", name="Newest").click()
    expect(files(page)).to_have_text(["meanwhile.png", "page-4.png"])


@pytest.mark.each_store
def test_who_may_deletes_and_the_picture_is_gone(
    page: Page, send: Callable[[str, str], str], sign_in: SignIn
) -> None:
    address = send("9", "nine.png")
    sign_in(page, "olga")
    page.goto(address)
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete this prediction?")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The prediction and its picture were deleted.")).to_be_visible()
    assert page.request.get(address).status == 404
    assert page.request.get(f"/api/v1{address}preview.webp").status == 404


def test_who_may_not_sees_no_way_to_delete(
    page: Page, send: Callable[[str, str], str], sign_in: SignIn
) -> None:
    address = send("9", "nine.png")
    sign_in(page, "vera")
    page.goto(address)
    expect(page.get_by_role("link", name="How it was read")).to_be_visible()
    expect(page.get_by_role("link", name="Delete…")).to_have_count(0)


def test_works_without_javascript(
    new_page: NewPage, send: Callable[[str, str], str], sign_in: SignIn
) -> None:
    send("7", "quiet.png")
    page = new_page(java_script_enabled=False)
    sign_in(page, "olga")
    page.goto("/predictions/?digit=7")
    page.get_by_role("link", name="7", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("7")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The prediction and its picture were deleted.")).to_be_visible()


def test_works_by_keyboard_alone(page: Page, send: Callable[[str, str], str]) -> None:
    send("4", "four.png")
    page.goto("/predictions/")
    page.keyboard.press("j")
    first = page.locator(".history-text").first
    expect(first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".history-text").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_role("checkbox", name="Select 4 four.png").first).to_be_checked()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(first).to_be_focused()
    outline = first.evaluate("link => getComputedStyle(link, '::after').outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("4")


def test_a_file_name_is_only_ever_text(page: Page, server: Server, save: Save) -> None:
    name = "'><img src=x onerror=alert(1)>.png"
    page.on("dialog", lambda dialog: pytest.fail("a file name was run"))
    page.goto("/")
    page.set_input_files("#picture", save("7", name))
    page.wait_for_url("**#answer")
    page.get_by_role("link", name="Details").click()
    expect(page.locator("dd.file")).to_have_text(name)
    page.goto("/predictions/")
    expect(files(page).first).to_have_text(name)


@pytest.mark.each_store
def test_new_predictions_come_on_top_without_a_reload(
    page: Page, send: Callable[[str, str], str]
) -> None:
    page.goto("/predictions/")
    page.evaluate("window.stayed = true")
    send("2", "arrived.png")
    expect(page.locator(".history-file").first).to_have_text("arrived.png", timeout=15_000)
    expect(page.locator("[data-live]")).to_have_text("New predictions: 1")
    assert page.evaluate("window.stayed")


def test_nothing_is_asked_while_nobody_looks(page: Page) -> None:
    page.clock.install()
    page.goto("/predictions/")
    asked: list[str] = []
    page.route("**/api/**", lambda route: asked.append(route.request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    page.clock.run_for(60_000)
    assert asked == []


@pytest.mark.each_store
@pytest.mark.parametrize("scripted", [True, False])
def test_what_was_ticked_is_exported_and_deleted(
    new_page: NewPage, send: Callable[[str, str], str], sign_in: SignIn, scripted: bool
) -> None:
    gone, stays = send("1", "ticked.png"), send("2", "unticked.png")
    page = new_page(java_script_enabled=scripted)
    sign_in(page, "olga")
    page.goto("/predictions/?limit=2")
    page.locator(f"li[data-id='{gone.split('/')[2]}']").get_by_role("checkbox").check()
    name = "Export selected as CSV" if scripted else "Export all as CSV"
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    exported = download.value.path().read_text()
    assert "ticked.png" in exported
    assert "unticked.png" not in exported
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete these predictions?")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 prediction was deleted with its picture.")).to_be_visible()
    assert page.url.endswith("?limit=2")
    assert page.request.get(gone).status == 404
    assert page.request.get(stays).status == 200


@pytest.mark.each_store
@pytest.mark.parametrize("scripted", [True, False])
def test_all_that_match_is_exported_and_deleted_in_parts(
    new_page: NewPage, send: Callable[[str, str], str], sign_in: SignIn, scripted: bool
) -> None:
    word = "heap" if scripted else "stack"
    for number in range(3):
        send("1", f"{word} {number}.png")
    page = new_page(java_script_enabled=scripted)
    sign_in(page, "olga")
    page.goto(f"/predictions/?file_name={word}")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export all as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 4
    if scripted:
        expect(page.get_by_text("Exported: 3").first).to_be_visible()
    page.get_by_role("button", name="Delete all…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete all of these?")
    expect(page.get_by_text(f"File name: {word}")).to_be_visible()
    page.get_by_label("Yes, delete all of them.").check()
    page.get_by_role("button", name="Delete all").click()
    expect(page.get_by_text("3 predictions were deleted with their pictures.")).to_be_visible()
    expect(page.get_by_text("No matching predictions.")).to_be_visible()


def test_ones_own_are_listed_and_deleted_by_anybody(
    page: Page, server: Server, save: Save, sign_in: SignIn
) -> None:
    sign_in(page, "vera")
    page.set_input_files("#picture", save("7", "own.png"))
    page.wait_for_url("**#answer")
    page.goto("/predictions/")
    page.get_by_role("link", name="My readings").click()
    expect(files(page)).to_have_text(["own.png"])
    page.get_by_role("checkbox", name="own.png").first.check()
    page.get_by_role("button", name="Delete selected…").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 prediction was deleted with its picture.")).to_be_visible()


@pytest.mark.parametrize("view", ["", "grid"])
def test_a_number_is_never_broken_and_nothing_scrolls_sideways(
    new_page: NewPage, send: Callable[[str, str], str], view: str
) -> None:
    send("1234567", "long.png")
    page = new_page(viewport={"width": 360, "height": 740})
    page.goto(f"/predictions/?view={view}&limit=1")
    text = page.locator(".history-text .clamped, .history-text .nothing").first
    height, line = text.evaluate(
        "e => [e.clientHeight, parseFloat(getComputedStyle(e).lineHeight)]"
    )
    assert height <= 2 * line + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
