"""Several pictures: from any page, across pages, turned, tried again, and in a table."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.conftest import Complaints, NewPage, Save
from tests.browser.test_accessibility import PHONE, SignIn, violations
from tests.support.pdf import pdf_of

pytestmark = [pytest.mark.browser, pytest.mark.server]
Png = Callable[..., bytes]
API = "**/api/v1/predictions"
# Drops files, and folders of files, as a browser does: their entries are what cannot be made.
DROP = """([tree, type]) => {
  const makeFile = ([name, bytes]) =>
    new File([new Uint8Array(bytes)], name, { type: "image/png" });
  const entryOf = (node) => Array.isArray(node)
    ? { isFile: true, name: node[0], file: (done) => done(makeFile(node)) }
    : { isFile: false, name: node.name, createReader: () => {
        const calls = [node.children.map(entryOf), []];
        return { readEntries: (done) => done(calls.shift()) };
      } };
  const transfer = new DataTransfer();
  transfer.items.add(new File(["x"], "x.png"));
  const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer });
  const items = tree.map((node) => ({ webkitGetAsEntry: () => entryOf(node) }));
  const files = tree.filter(Array.isArray).map(makeFile);
  Object.defineProperty(event, "dataTransfer", { value: { types: ["Files"], items, files } });
  document.querySelector("main").dispatchEvent(event);
}"""


def drop(page: Page, *tree: Any, kind: str = "drop") -> None:
    page.evaluate(DROP, [list(tree), kind])


def task(page: Page, name: str) -> Locator:
    return page.locator(".task", has_text=name)


def done(page: Page, count: int) -> None:
    expect(page.locator(".task[data-state=done]")).to_have_count(count, timeout=60_000)


def kept(page: Page, name: str) -> int:
    results = page.request.get("/api/v1/predictions?limit=50").json()["results"]
    return sum(result["file_name"] == name for result in results)


@pytest.fixture
def node(png: Png) -> Callable[[str, str], list[Any]]:
    """A dropped file: its name and the bytes of a picture of a digit."""
    return lambda name, digit: [name, list(png(digit))]


def test_files_and_folders_dropped_on_any_page_are_read_in_order(
    page: Page, node: Callable[[str, str], list[Any]]
) -> None:
    page.goto("/statistics/")
    veil = page.get_by_text("Drop to read")
    expect(veil).to_be_hidden()
    drop(page, kind="dragenter")
    expect(veil).to_be_visible()
    folder = {
        "name": "scans",
        "children": [
            node("scan-10.png", "4"),
            node("scan-9.png", "3"),
            node("notes.docx", "1"),
            node(".hidden.png", "1"),
            {"name": "deeper", "children": [node("scan-1.png", "0")]},
        ],
    }
    drop(page, node("one.png", "7"), folder)
    expect(veil).to_be_hidden()
    done(page, 4)
    expect(page.get_by_role("complementary", name="Uploads")).to_contain_text("All read: 4")
    page.get_by_role("link", name="Open as a table").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 pictures")
    expect(page.locator(".upload-text a")).to_have_text(["7", "0", "3", "4"])


def test_several_dropped_on_the_first_page_leave_no_mark_of_the_drop(
    page: Page, node: Callable[[str, str], list[Any]]
) -> None:
    page.goto("/")
    looks = "[document.body.className, getComputedStyle(document.querySelector('.hero')).outline]"
    before = page.evaluate(looks)
    drop(page, kind="dragenter")
    expect(page.get_by_text("Drop to read")).to_be_visible()
    drop(page, node("one.png", "7"), node("two.png", "3"))
    done(page, 2)
    assert page.evaluate(looks) == before


def test_the_list_survives_going_on_and_back_and_what_was_not_sent_is_sent_then(
    page: Page, save: Save
) -> None:
    page.goto("/uploads/")
    # The route stays, so that requests are still waiting when the page is left.
    answering: list[bool] = []
    page.route(API, lambda route: route.continue_() if answering else None)
    files = [save(digit, f"going-{digit}.png") for digit in "730"]
    page.set_input_files("#files", files)
    page.get_by_role("button", name="Read them").click()
    expect(page.locator(".task[data-state=sending], .task[data-state=reading]")).to_have_count(2)
    answering.append(True)
    page.goto("/models/")
    done(page, 3)
    page.go_back()
    done(page, 3)
    expect(task(page, "going-3.png").get_by_role("link")).to_have_text("3")
    assert [kept(page, file.name) for file in files] == [1, 1, 1]
    page.get_by_role("button", name="Close").click()
    page.goto("/models/")
    expect(page.locator(".task")).to_have_count(0)


def test_what_a_stopped_server_may_have_kept_is_not_kept_twice(
    page: Page, save: Save, complaints: Complaints
) -> None:
    complaints.expect("ERR_FAILED")
    page.goto("/statistics/")
    answers = []

    def lose_first_answer(route: Route) -> None:
        response = route.fetch()
        answers.append(response.status)
        route.abort() if len(answers) == 1 else route.fulfill(response=response)

    page.route(API, lose_first_answer)
    drop(page, ["once.png", list(save("7", "once.png").read_bytes())])
    done(page, 1)
    assert answers == [201, 200]
    assert kept(page, "once.png") == 1


def test_all_that_failed_is_tried_again_at_once(
    new_page: NewPage, save: Save, complaints: Complaints
) -> None:
    complaints.expect("status of 500")
    complaints.expect("500 from")
    page = new_page()
    page.goto("/statistics/")
    page.route(API, lambda route: route.fulfill(status=500, json={}))
    drop(page, *([f"all-{d}.png", list(save(d, "x.png").read_bytes())] for d in "73"))
    expect(page.locator(".task[data-state=failed]")).to_have_count(2)
    page.unroute_all()
    page.get_by_role("button", name="Try all again").click()
    done(page, 2)


def test_a_picture_is_turned_before_it_is_sent(page: Page, tmp_path: Path, png: Png) -> None:
    lying = tmp_path / "lying.png"
    Image.open(BytesIO(png("7"))).rotate(90).save(lying)
    page.goto("/uploads/")
    page.set_input_files("#files", lying)
    turn = page.get_by_role("button", name="Turn: lying.png")
    turn.click()
    expect(task(page, "lying.png")).to_have_attribute("data-quarters", "1")
    page.get_by_role("button", name="Read them").click()
    done(page, 1)
    expect(task(page, "lying.png").get_by_role("link")).to_have_text("7")


def test_says_of_each_file_why_it_was_not_read(
    page: Page, tmp_path: Path, complaints: Complaints
) -> None:
    complaints.expect("status of 415")
    photo = FilePayload(
        name="photo.psd", mimeType="image/vnd.adobe.photoshop", buffer=b"8BPS" + bytes(60)
    )
    page.goto("/uploads/")
    page.set_input_files("#files", photo)
    page.get_by_role("button", name="Read them").click()
    expect(task(page, "photo.psd")).to_contain_text("This file format is not supported")
    expect(task(page, "photo.psd").get_by_role("button", name="Try again")).to_be_hidden()
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    page.set_input_files("#files", large)
    expect(task(page, "large.png")).to_contain_text("at most 20 MB")


def test_the_list_is_not_shown_to_who_signs_in_next(
    page: Page, save: Save, sign_in: SignIn
) -> None:
    page.goto("/statistics/")
    drop(page, ["mine.png", list(save("7", "mine.png").read_bytes())])
    done(page, 1)
    sign_in(page, "olga")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.locator(".task")).to_have_count(0)
    drop(
        page,
        ["olgas.png", list(save("3", "olgas.png").read_bytes())],
        ["b.png", list(save("0", "b.png").read_bytes())],
    )
    done(page, 2)


def test_the_table_is_gone_through_by_keys_and_copied(new_page: NewPage, png: Png) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    pdf = pdf_of(*[Image.open(BytesIO(png(digit))) for digit in "730"])
    file = FilePayload(name="three.pdf", mimeType="application/pdf", buffer=pdf)
    answer = page.request.post("/api/v1/predictions", multipart={"file": file})
    page.goto(f"/uploads/{answer.json()['upload']}/")
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "7\n3\n0\n"
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".upload-text a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Page 2 of 3")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Page 3 of 3")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="Page 2 of 3")).to_be_visible()
    page.keyboard.press("k")
    page.get_by_role("link", name="Page 1 of 3").click()
    expect(page.locator(".upload-text a")).to_have_text(["7", "3", "0"])


def test_works_without_javascript(new_page: NewPage, save: Save) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/uploads/")
    page.set_input_files("#files", [save("7", "a.png"), save("3", "b.png")])
    page.get_by_role("button", name="Read them").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 pictures")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_bytes().startswith(b"\xef\xbb\xbftext")


def test_axe_finds_nothing_where_several_are_read(
    new_page: NewPage, png: Png, complaints: Complaints
) -> None:
    complaints.expect("status of 415")
    page = new_page(reduced_motion="reduce")
    page.goto("/uploads/")
    files = [
        FilePayload(name=name, mimeType="image/png", buffer=content)
        for name, content in [("8.png", png("8")), ("words.png", b"words"), ("none.png", png(""))]
    ]
    page.set_input_files("#files", files)
    expect(page.locator(".task[data-state=held]")).to_have_count(3)
    found = violations(page)
    page.get_by_role("button", name="Read them").click()
    done(page, 2)
    found += violations(page)
    table = page.get_by_role("link", name="Open as a table").get_attribute("href")
    page.goto(f"{table}")
    found += violations(page)
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert found == []
