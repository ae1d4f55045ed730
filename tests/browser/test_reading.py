"""A person has a picture and wants to know the digit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Complaints, NewPage, Save
from tests.conftest import Server, StartServer

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


def entry(page: Page, name: str) -> Locator:
    """A picture's line in the queue."""
    return page.locator(".entry", has_text=name)


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
    expect(page.locator(".answer .bars")).to_contain_text("8")
    for words in ("The picture that was sent: eight.png", "What the network saw and read as 8"):
        shown = page.get_by_alt_text(words)
        expect(shown).to_be_visible()
        assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") in {200, 28}


def test_the_box_lies_around_the_digit(page: Page, save: Save) -> None:
    page.goto("/")
    page.set_input_files("#picture", save("1", size=400))
    page.wait_for_url("**#answer")
    image, box = (page.locator(f".boxed {part}").bounding_box() for part in ("img", "rect"))
    assert image is not None
    assert box is not None
    # The digit was drawn in the middle.
    middle = (box["x"] + box["width"] / 2 - image["x"]) / image["width"]
    assert middle == pytest.approx(0.5, abs=0.05)
    assert 0.3 < box["height"] / image["height"] < 0.9


@pytest.mark.parametrize("target", [".drop", "h1", ".site-footer"])
def test_reads_a_picture_dropped_anywhere(page: Page, save: Save, target: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto("/")
    drop(page, target, save("3"))
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output.text")).to_have_text("3")


def test_reads_a_pasted_picture(page: Page, save: Save) -> None:
    page.goto("/")
    paste(page, save("5"))
    page.wait_for_url("**/?prediction=*")
    expect(page.locator("output.text")).to_have_text("5")


def test_says_that_a_picture_is_on_its_way(page: Page, save: Save) -> None:
    page.goto("/")
    held = []
    page.route("**/", lambda route: held.append(route))
    page.set_input_files("#picture", save("7"))
    line = entry(page, "seven.png")
    expect(line.get_by_text("Sending…")).to_be_visible()
    expect(line.locator("img")).to_be_visible()
    expect(line.get_by_role("progressbar", name="seven.png")).to_be_visible()
    held[0].continue_()
    page.unroute("**/")
    expect(page.locator("output.text")).to_have_text("7")
    expect(page.locator("[data-live]")).to_have_text("seven.png: 7")
    expect(line).to_be_hidden()


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


def test_says_beside_the_picture_what_was_wrong(
    page: Page, tmp_path: Path, complaints: Complaints, save: Save
) -> None:
    complaints.expect("status of 415")
    words = tmp_path / "words.png"
    words.write_text("just some words")
    page.goto("/")
    page.set_input_files("#picture", words)
    expect(entry(page, "words.png")).to_contain_text("Send a PNG, JPEG, GIF, BMP, WebP or TIFF")
    expect(page.locator("[data-live]")).to_contain_text("words.png was not read. This file is not")
    expect(entry(page, "words.png").get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.locator("output.text")).to_have_count(0)
    page.set_input_files("#picture", save("7"))
    page.wait_for_url("**#answer")
    expect(page.locator("output.text")).to_have_text("7")


def test_reads_many_at_once_and_says_which_were_not_read(
    page: Page, png: Callable[..., bytes], complaints: Complaints
) -> None:
    complaints.expect("status of 415")
    complaints.expect("status of 400")
    bad = {3: b"words", 9: b"", 17: png("1")[:80]}
    files = [
        FilePayload(
            name=f"picture-{number:02}.png",
            mimeType="image/png",
            buffer=bad.get(number, png(str(number % 10))),
        )
        for number in range(20)
    ]
    page.goto("/")
    page.set_input_files("#picture", files)
    expect(page.locator(".entry[data-state=done]")).to_have_count(17, timeout=60_000)
    expect(page.locator(".entry[data-state=failed]")).to_have_count(3)
    for number in range(20):
        line = entry(page, f"picture-{number:02}.png")
        if number in bad:
            expect(line.locator(".entry-problem")).not_to_be_empty()
        else:
            expect(line.locator(".entry-text")).to_have_text(str(number % 10))
    entry(page, "picture-08.png").get_by_role("link", name="Show").click()
    expect(page.locator("output.text")).to_have_text("8")
    page.goto("/predictions/")
    for number in range(20):
        expected = 0 if number in bad else 1
        expect(page.get_by_text(f"picture-{number:02}.png")).to_have_count(expected)


def test_what_could_not_be_sent_can_be_tried_again(
    page: Page, save: Save, complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    page.goto("/")
    page.context.set_offline(True)
    page.set_input_files("#picture", save("6", "six.png"))
    expect(entry(page, "six.png")).to_contain_text("The site cannot be reached.")
    page.context.set_offline(False)
    entry(page, "six.png").get_by_role("button", name="Try again").click()
    expect(page.locator("output.text")).to_have_text("6")


def test_outlasts_a_server_that_stops_and_starts_again(
    new_page: NewPage, start_server: StartServer, tmp_path: Path, save: Save, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    complaints.expect("ERR_CONNECTION_RESET")  # of what was still being loaded
    server = start_server(tmp_path)
    page = new_page(base_url=server.url)
    page.goto("/")
    server.stop()
    server.log.unlink()  # it says that the server is ready
    page.set_input_files("#picture", save("9", "nine.png"))
    expect(entry(page, "nine.png")).to_contain_text("The site cannot be reached.")
    start_server(tmp_path, PORT=server.environment["PORT"])
    entry(page, "nine.png").get_by_role("button", name="Try again").click()
    expect(page.locator("output.text")).to_have_text("9")


def test_a_digit_that_is_pointed_at_or_focused_shows_its_alternatives(
    page: Page, png: Callable[..., bytes]
) -> None:
    page.goto("/")
    picture = FilePayload(name="42.png", mimeType="image/png", buffer=png("4 2", size=300))
    page.set_input_files("#picture", picture)
    expect(page.locator("output.text")).to_have_text("42")
    panels = page.locator(".digit")
    expect(panels.nth(0)).to_be_visible()
    expect(panels.nth(1)).to_be_hidden()
    page.locator("[data-boxes] rect").nth(1).hover()
    expect(panels.nth(1)).to_be_visible()
    expect(panels.nth(1).get_by_alt_text("What the network saw and read as 2")).to_be_visible()
    page.get_by_role("list", name="The digits, one by one").get_by_role("link").first.focus()
    expect(panels.nth(0)).to_be_visible()
    expect(panels.nth(1)).to_be_hidden()


def test_copies_the_answer(page: Page, save: Save, server: Server) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.goto("/")
    page.set_input_files("#picture", save("7"))
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "7"


def test_does_not_send_what_is_too_large(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto("/")
    page.set_input_files("#picture", large)
    expect(entry(page, "large.png")).to_contain_text(
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
    expect(page.locator("#picture")).to_be_focused()
    assert page.locator(".drop").evaluate("drop => getComputedStyle(drop).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**#answer")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy")).to_be_focused()
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
        drop(page, ".drop", save("2"))
    else:
        page.set_input_files("#picture", save("2"))
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


def test_the_first_visit_is_light(page: Page, server: Server) -> None:
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert len(sizes) <= 10
    assert sum(sizes) < 150_000
