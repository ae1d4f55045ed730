"""A person says what a picture really shows, and takes it back."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import PASSWORD, Complaints, NewPage, Save

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
    page.get_by_text("Correct the text").click()
    page.get_by_label("What the picture shows").fill("1")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("output.text")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()  # the only one
    expect(page.locator("output.text")).to_have_text("7")


@pytest.fixture
def number(page: Page, png: Callable[..., bytes], sign_in: SignIn) -> Page:
    """The page of a reading of 42, as a reviewer sees it."""
    prediction_id = post(page, "42", png("4 2", size=300))
    sign_in(page, "olga")
    page.goto(f"/predictions/{prediction_id}/")
    expect(page.locator("output.text")).to_have_text("42")
    return page


def post(page: Page, text: str, picture: bytes) -> str:
    file = FilePayload(name="number.png", mimeType="image/png", buffer=picture)
    answer = page.request.post("/api/v1/predictions", multipart={"file": file}).json()
    assert answer["text"] == text
    prediction_id: str = answer["id"]
    return prediction_id


def correction(page: Page) -> tuple[str, str] | None:
    """The verdict and text that stand beside the prediction of a page."""
    path = urlsplit(page.url).path.rstrip("/")
    kept = page.request.get(f"/api/v1{path}").json()["correction"]
    return kept and (kept["verdict"], kept["text"])


def expect_saved(page: Page, text: str) -> None:
    expect(page.locator("[data-save-state]")).to_have_text("Saved")
    expect(page.locator("output.text")).to_have_text(text)
    assert correction(page) == ("text", text)


def test_one_key_corrects_the_chosen_digit(number: Page) -> None:
    page = number
    page.locator(".printed rect").nth(1).click()
    page.keyboard.press("7")
    expect_saved(page, "47")
    expect(page).to_have_title("47 – Handwritten digits")
    expect(page.locator(".was-read")).to_have_text("Corrected by olga; originally read as 42")
    expect(page.get_by_text("Needs review")).to_have_count(0)
    page.get_by_text("Corrections", exact=True).click()
    expect(page.locator(".entries li")).to_have_count(1)
    page.locator(".printed").focus()
    # The keyboard goes on where it was: one to the left, and another key.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("9")
    expect_saved(page, "97")
    page.keyboard.press("u")
    expect_saved(page, "47")
    page.keyboard.press("Control+z")
    expect(page.locator("output.text")).to_have_text("42")
    assert correction(page) is None
    expect(page.locator(".printed tspan.changed")).to_have_count(0)


def test_digits_are_added_and_left_out(number: Page) -> None:
    page = number
    page.locator(".printed rect").nth(0).click()
    page.keyboard.press("Insert")
    page.keyboard.press("1")
    expect_saved(page, "412")
    expect(page.locator(".printed tspan.added")).to_have_text("1")
    page.keyboard.press("Delete")  # what was added is chosen
    expect_saved(page, "42")
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect_saved(page, "4")
    expect(page.locator(".printed rect.gone")).to_have_count(1)
    page.keyboard.press("8")  # its place can still be chosen
    expect_saved(page, "48")
    page.keyboard.press("Backspace")
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect(page.locator("output.text")).to_have_text("No digit")
    assert correction(page) == ("not_a_digit", "")


def test_typing_fast_loses_nothing(number: Page) -> None:
    page = number
    page.locator(".printed rect").nth(0).click()
    page.keyboard.type("13")
    expect_saved(page, "13")


def test_corrects_by_touch_alone(
    new_page: NewPage, png: Callable[..., bytes], sign_in: SignIn
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    address = f"/predictions/{post(page, '42', png('4 2', size=300))}/"
    sign_in(page, "olga")
    page.goto(address)
    page.locator(".printed rect").nth(1).tap()
    page.get_by_role("button", name="Correct to 7").tap()
    expect_saved(page, "47")
    page.get_by_role("button", name="Add one after it").tap()
    page.get_by_role("button", name="Correct to 1").tap()
    expect_saved(page, "471")
    page.get_by_role("button", name="Not a digit").tap()
    expect_saved(page, "47")
    page.get_by_role("button", name="Undo", exact=True).tap()
    expect_saved(page, "471")


def test_an_answer_is_corrected_where_it_is_read(page: Page, save: Save, sign_in: SignIn) -> None:
    sign_in(page, "olga")
    page.set_input_files("#picture", save("7"))
    expect(page.locator("output.text")).to_have_text("7")
    page.locator(".printed rect").click()
    page.keyboard.press("1")
    expect(page.locator("[data-save-state]")).to_have_text("Saved")
    expect(page.locator("output.text")).to_have_text("1")
    expect(page.locator(".was-read")).to_contain_text("Corrected by olga")
    expect(page).to_have_title("1 – Handwritten digits")
    expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_a_refused_text_is_kept_to_be_mended(number: Page, complaints: Complaints) -> None:
    page = number
    complaints.expect("status of 400")
    page.get_by_text("Correct the text").click()
    page.get_by_label("What the picture shows").fill("4 + 2")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("digits 0 to 9")
    expect(page.get_by_label("What the picture shows")).to_have_value("4 + 2")
    expect(page.locator("[data-save-state]")).to_have_text("Not saved")
    assert correction(page) is None


def test_what_could_not_be_saved_is_told(number: Page, complaints: Complaints) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page = number
    page.locator(".printed rect").nth(0).click()
    page.context.set_offline(True)
    page.keyboard.press("1")
    expect(page.locator("[data-save-state]")).to_have_text("Not saved: the site cannot be reached.")
    page.context.set_offline(False)
    assert correction(page) is None
    page.keyboard.press("3")  # the next change takes the other one along
    expect_saved(page, "13")


def test_who_may_not_correct_learns_what_signing_in_gives(
    page: Page, png: Callable[..., bytes], sign_in: SignIn
) -> None:
    address = f"/predictions/{post(page, '42', png('4 2', size=300))}/"
    page.goto(address)
    page.get_by_text("That is wrong?").click()
    expect(page.get_by_text("Signed in as a reviewer you can correct it")).to_be_visible()
    page.locator(".printed rect").nth(0).click()
    page.keyboard.press("1")  # changes nothing
    expect(page.locator("output.text")).to_have_text("42")
    expect(page.get_by_role("button", name="Correct to 1")).to_have_count(0)
    page.get_by_role("link", name="Sign in to correct it").click()
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{address}")
    expect(page.get_by_role("button", name="Correct to 1")).to_be_visible()
    sign_in(page, "vera")
    page.goto(address)
    page.get_by_text("That is wrong?").click()
    expect(page.get_by_text("Ask whoever runs this site")).to_be_visible()


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
