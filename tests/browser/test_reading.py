"""A person has a picture and wants to know the digit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, NewPage, Save
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]


def drop(page: Page, path: Path) -> None:
    """Drop a file on the form as the operating system does, not by a script."""
    box = page.locator(".drop").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 20,  # at the edge: all of it takes the file
                "y": box["y"] + box["height"] - 20,
                "data": {"items": [], "files": [str(path)], "dragOperationsMask": 1},
            },
        )


def test_reads_a_chosen_picture(page: Page, save: Save) -> None:
    path = save("8", "eight.png")
    page.on("filechooser", lambda chooser: chooser.set_files(path))
    page.goto("/")
    # Forced, since what takes the click lies over the words: the native input.
    page.get_by_text("Choose a picture").click(force=True)
    page.wait_for_url("**/?prediction=*#answer")
    expect(page.locator("output")).to_have_text("8")
    expect(page).to_have_title("8 – Handwritten digits")
    expect(page.get_by_text("Read", exact=True).and_(page.locator(".status"))).to_be_visible()
    expect(page.get_by_role("list", name="Probability of each digit")).to_contain_text("8")
    for words in ("The picture that was sent: eight.png", "What the network saw and read as 8"):
        shown = page.get_by_alt_text(words)
        expect(shown).to_be_visible()
        assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") in {200, 28}


def test_the_box_lies_around_the_digit(page: Page, save: Save) -> None:
    page.goto("/")
    page.set_input_files("input[type=file]", save("1", size=400))
    page.wait_for_url("**#answer")
    image, box = (page.locator(f".boxed {part}").bounding_box() for part in ("img", "rect"))
    assert image is not None
    assert box is not None
    # The digit was drawn in the middle.
    middle = (box["x"] + box["width"] / 2 - image["x"]) / image["width"]
    assert middle == pytest.approx(0.5, abs=0.05)
    assert 0.3 < box["height"] / image["height"] < 0.9


def test_reads_a_dropped_picture(page: Page, save: Save) -> None:
    page.goto("/")
    drop(page, save("3"))
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output")).to_have_text("3")


def test_shows_the_picture_and_says_that_it_is_being_read(page: Page, save: Save) -> None:
    page.goto("/")
    # An answer without content leaves the page as it was while the picture was on its way.
    page.route("**/", lambda route: route.fulfill(status=204))
    page.set_input_files("input[type=file]", save("7"))
    expect(page.get_by_role("status")).to_have_text("Reading…")
    expect(page.locator("img.chosen")).to_be_visible()
    expect(page.get_by_text("Choose a picture")).to_be_hidden()


def test_the_way_back_leads_to_a_form_that_can_be_used(page: Page, save: Save) -> None:
    page.goto("/")
    page.set_input_files("input[type=file]", save("7"))
    page.wait_for_url("**#answer")
    page.go_back()
    expect(page.get_by_text("Choose a picture")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("")
    page.set_input_files("input[type=file]", save("4", "four.png"))
    page.wait_for_url("**#answer")
    expect(page.locator("output")).to_have_text("4")


def test_says_beside_the_form_what_was_wrong(
    page: Page, tmp_path: Path, complaints: Complaints, save: Save
) -> None:
    complaints.expect("status of 415")
    words = tmp_path / "words.png"
    words.write_text("just some words")
    page.goto("/")
    page.set_input_files("input[type=file]", words)
    expect(page.get_by_role("alert")).to_contain_text("Send a PNG, JPEG, GIF, BMP, WebP or TIFF")
    expect(page.locator("output")).to_have_count(0)
    page.set_input_files("input[type=file]", save("7"))
    page.wait_for_url("**#answer")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_does_not_send_what_is_too_large(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto("/")
    page.set_input_files("input[type=file]", large)
    expect(page.get_by_role("alert")).to_have_text(
        "This file is too large: a picture may have at most 20 MB. Choose a smaller one."
    )
    assert "POST" not in sent


def test_works_by_keyboard_alone(page: Page, save: Save) -> None:
    path = save("5", "five.png")
    page.on("filechooser", lambda chooser: chooser.set_files(path))
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("input[type=file]")).to_be_focused()
    assert page.locator(".drop").evaluate("drop => getComputedStyle(drop).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**#answer")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="All about it")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/predictions/*/")
    expect(page.get_by_role("heading", level=1)).to_have_text("five.png")


@pytest.mark.parametrize("by_drop", [False, True])
def test_works_without_javascript(new_page: NewPage, save: Save, by_drop: bool) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/")
    if by_drop:
        drop(page, save("2"))
    else:
        page.set_input_files("input[type=file]", save("2"))
    page.get_by_role("button", name="Read it").click()
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output")).to_have_text("2")


@pytest.mark.parametrize(
    ("path", "address"), [("/upload", "**/predictions/*/"), ("/predict", "**/predict")]
)
def test_the_old_addresses_work_with_and_without_javascript(
    new_page: NewPage, save: Save, path: str, address: str
) -> None:
    for scripted in (True, False):
        page = new_page(java_script_enabled=scripted)
        page.goto(path)
        page.set_input_files("input[type=file]", save("6"))
        if not scripted:
            page.get_by_role("button", name="Read it").click()
        page.wait_for_url(address)
        expect(page.locator("output")).to_have_text("6")


def test_greets_by_name_and_signs_out(page: Page, sign_in: Callable[[Page, str], None]) -> None:
    sign_in(page, "vera")
    expect(page.get_by_text("Hello, vera")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Hello, vera")).to_have_count(0)


def test_the_first_visit_is_light(page: Page, server: Server) -> None:
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert len(sizes) <= 10
    assert sum(sizes) < 150_000
