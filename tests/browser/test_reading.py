"""A person has a picture and wants to know the digit."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, Save
from tests.browser.test_reviewing import QUEUE
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]


def drop(page: Page, target: str, *paths: Path) -> None:
    """Drop files as the operating system does, not by a script."""
    box = page.locator(target).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 20,  # at the edge: all of it takes the file
                "y": box["y"] + box["height"] - 20,
                "data": {
                    "items": [],
                    "files": [str(path) for path in paths],
                    "dragOperationsMask": 1,
                },
            },
        )


def paste(page: Page, path: Path) -> None:
    """Paste a picture as if it had been copied somewhere else."""
    page.evaluate(
        """([bytes, name]) => {
          const clipboardData = new DataTransfer();
          const picture = new File([new Uint8Array(bytes)], name, { type: "image/png" });
          clipboardData.items.add(picture);
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }""",
        [list(path.read_bytes()), path.name],
    )


@pytest.mark.each_store
def test_reads_a_chosen_picture(page: Page, save: Save) -> None:
    path = save("8", "eight.png")
    page.on("filechooser", lambda chooser: chooser.set_files(path))
    page.goto("/")
    # Forced, since what takes the click lies over the words: the native input.
    page.get_by_text("Choose pictures").click(force=True)
    page.wait_for_url("**/?prediction=*#answer")
    expect(page.locator("output.text")).to_have_text("8")
    expect(page).to_have_title("8 – Handwritten digits")
    expect(page.get_by_text("Read", exact=True).and_(page.locator(".status"))).to_be_visible()
    expect(page.get_by_role("img", name="Uploaded picture: eight.png")).to_be_visible()
    glyph = page.get_by_alt_text("What the model saw and read as 8")
    expect(glyph).to_be_visible()
    assert glyph.evaluate("image => image.decode().then(() => image.naturalWidth)") == 28


@pytest.mark.each_store
@pytest.mark.parametrize("target", [".sheet", ".drop", "h1", ".site-footer"])
def test_reads_a_picture_dropped_anywhere(page: Page, save: Save, target: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto("/")
    drop(page, target, save("3"))
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output.text")).to_have_text("3")


def test_reads_a_photo_that_a_phone_takes(page: Page, new_page: NewPage, save: Save) -> None:
    page.goto("/")
    expect(page.get_by_text("Take a photo")).to_be_hidden()  # at a desk
    phone = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    phone.goto("/")
    expect(phone.get_by_text("Take a photo")).to_be_visible()
    expect(phone.locator("#camera")).to_have_attribute("capture", "environment")
    phone.set_input_files("#camera", save("3", "photo.png"))
    expect(phone.locator("output.text")).to_have_text("3")


@pytest.mark.each_store
def test_reads_a_pasted_picture(page: Page, save: Save) -> None:
    page.goto("/")
    paste(page, save("5"))
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output.text")).to_have_text("5")


def test_the_way_back_leads_to_a_form_that_can_be_used(page: Page, save: Save) -> None:
    page.goto("/")
    page.set_input_files("#picture", save("7"))
    page.wait_for_url("**#answer")
    page.go_back()
    expect(page.get_by_text("Choose pictures")).to_be_visible()
    expect(page.locator("output.text")).to_have_count(0)
    page.set_input_files("#picture", save("4", "four.png"))
    page.wait_for_url("**#answer")
    page.reload()
    expect(page.locator("output.text")).to_have_text("4")


def test_copies_the_answer(page: Page, save: Save, server: Server) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.goto("/")
    page.set_input_files("#picture", save("7"))
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == "7"


def test_copies_a_link_and_no_gap_between_groups(page: Page, server: Server) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    code = QUEUE.format(texts=("1234567",), sure=())
    path = f"/predictions/{server.manage('shell', '-v0', '-c', code).strip()}/"
    page.goto(path)
    groups = page.locator("output .group")
    expect(groups).to_have_text(["1", "234", "567"])
    ends = [box["x"] + box["width"] for g in groups.all() if (box := g.bounding_box())]
    begins = [box["x"] for g in groups.all() if (box := g.bounding_box())]
    assert begins[1] - ends[0] > 2
    page.locator("output").click()  # selects all of it
    page.keyboard.press("Control+C")
    assert page.evaluate("navigator.clipboard.readText()").strip() == "1234567"
    page.get_by_role("button", name="Copy link").click()
    assert page.evaluate("navigator.clipboard.readText()") == server.url + path


def test_works_by_keyboard_alone(page: Page, save: Save) -> None:
    path = save("5", "five.png")
    page.on("filechooser", lambda chooser: chooser.set_files(path))
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    expect(page.get_by_text("Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("[data-canvas]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#picture")).to_be_focused()
    outline = "choose => getComputedStyle(choose).outlineStyle"
    assert page.locator(".choose").evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**#answer")
    expect(page.get_by_role("option", name="5")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox", name="Digits on the picture")).to_be_focused()
    while not page.get_by_role("link", name="Details").evaluate(
        "e => e === document.activeElement"
    ):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/predictions/*/")
    expect(page.get_by_role("heading", level=1)).to_have_text("5")


@pytest.mark.each_store
@pytest.mark.parametrize("by_drop", [False, True])
def test_works_without_javascript(new_page: NewPage, save: Save, by_drop: bool) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/")
    if by_drop:
        drop(page, ".drop", save("2"))
    else:
        page.set_input_files("#picture", save("2"))
    expect(page.locator("#picture")).to_have_value(re.compile("seven.png"))
    page.get_by_role("button", name="Read it").click()
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output.text")).to_have_text("2")


@pytest.mark.parametrize(
    ("path", "address"), [("/upload", "**/predictions/*/"), ("/predict", "**/predict")]
)
def test_the_old_addresses_work_with_and_without_javascript(
    new_page: NewPage, save: Save, path: str, address: str
) -> None:
    for scripted in (True, False):
        page = new_page(java_script_enabled=scripted)
        page.goto(path)
        page.set_input_files("#picture", save("6"))
        if not scripted:
            page.get_by_role("button", name="Read it").click()
        page.wait_for_url(address)
        expect(page.locator("output.text")).to_have_text("6")


def test_greets_by_name_and_signs_out(page: Page, sign_in: Callable[[Page, str], None]) -> None:
    sign_in(page, "vera")
    expect(page.get_by_text("Hello, vera")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Hello, vera")).to_have_count(0)
