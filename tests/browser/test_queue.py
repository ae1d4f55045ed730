"""Pictures on their way from the first page, and a site that comes and goes."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.conftest import Complaints, NewPage, Save
from tests.conftest import StartServer
from tests.support.handwriting import write

pytestmark = [pytest.mark.browser, pytest.mark.server]
API = "**/api/v1/predictions"
RECENT = "/api/v1/predictions?limit=20"


@pytest.fixture
def two_lines(tmp_path: Path) -> Path:
    """A picture of 173 above 720."""
    page = np.full((300, 420), 244, np.uint8)
    for row, line in enumerate(("173", "720")):
        for column, digit in enumerate(line):
            write(page, int(digit), 30 + 95 * column, 30 + 130 * row, 90, ink=60)
    path = tmp_path / "meter.png"
    cv2.imwrite(str(path), page)
    return path


def entry(page: Page, name: str) -> Locator:
    """A picture's line in the list."""
    return page.locator(".task", has_text=name)


def test_says_that_a_picture_is_on_its_way(page: Page, save: Save) -> None:
    page.goto("/")
    held = []
    page.route(API, lambda route: held.append(route))
    page.set_input_files("#picture", save("7"))
    line = entry(page, "seven.png")
    expect(line.get_by_text("Sending…")).to_be_visible()
    expect(line.locator("img")).to_be_visible()
    expect(line.get_by_role("progressbar", name="seven.png")).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.unroute(API)
    expect(page.locator("output.text")).to_have_text("7")
    expect(page.locator("[data-tray-live]")).to_have_text("seven.png: 7")
    expect(line).to_be_hidden()


def test_says_beside_the_picture_what_was_wrong(
    page: Page, tmp_path: Path, complaints: Complaints, save: Save
) -> None:
    complaints.expect("status of 415")
    words = tmp_path / "words.png"
    words.write_text("just some words")
    page.goto("/")
    page.set_input_files("#picture", words)
    expect(entry(page, "words.png")).to_contain_text("Send a picture (PNG, JPEG, GIF")
    expect(page.locator("[data-tray-live]")).to_contain_text(
        "words.png could not be read. This file format is not supported"
    )
    expect(entry(page, "words.png").get_by_role("button", name="Try again")).to_be_hidden()
    expect(page.locator("output.text")).to_have_count(0)
    page.set_input_files("#picture", save("7"))
    page.wait_for_url("**#answer")
    expect(page.locator("output.text")).to_have_text("7")


@pytest.mark.each_store
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
    expect(page.locator(".task[data-state=done]")).to_have_count(17, timeout=60_000)
    expect(page.locator(".task[data-state=failed]")).to_have_count(3)
    for number in range(20):
        line = page.locator(".task", has_text=f"picture-{number:02}.png")
        if number in bad:
            expect(line.locator("[data-problem]")).not_to_be_empty()
        else:
            expect(line.locator("[data-text]")).to_have_text(str(number % 10))
            expect(line.locator(".status")).to_have_text(re.compile("Read|Needs review"))
            expect(line.locator("[data-confidence]")).to_contain_text("%")
    page.locator(".task", has_text="picture-08.png").get_by_role("link").click()
    expect(page.locator("output.text")).to_have_text("8")
    page.goto("/predictions/")
    for number in range(20):
        expected = 0 if number in bad else 1
        rows = page.locator("[data-list]").get_by_text(f"picture-{number:02}.png")
        expect(rows).to_have_count(expected)


def test_what_could_not_be_sent_can_be_turned_and_tried_again(
    page: Page, tmp_path: Path, png: Callable[..., bytes], complaints: Complaints
) -> None:
    complaints.expect("ERR_INTERNET_DISCONNECTED")
    lying = tmp_path / "lying.png"
    Image.open(BytesIO(png("7"))).rotate(90).save(lying)
    page.goto("/")
    page.context.set_offline(True)
    page.set_input_files("#picture", lying)
    expect(entry(page, "lying.png")).to_contain_text("The site cannot be reached; retrying")
    expect(entry(page, "lying.png").get_by_role("button", name="Try again")).to_be_visible()
    entry(page, "lying.png").get_by_role("button", name="Turn").click()
    page.context.set_offline(False)  # which tries again by itself
    expect(page.locator("output.text")).to_have_text("7")


def test_a_refused_picture_is_tried_again_from_the_first_page(
    page: Page, save: Save, complaints: Complaints
) -> None:
    complaints.expect("status of 500")
    complaints.expect("500 from")
    page.goto("/")
    page.route(API, lambda route: route.fulfill(status=500, json={}), times=1)
    page.set_input_files("#picture", save("6", "six.png"))
    entry(page, "six.png").get_by_role("button", name="Try again").click()
    expect(page.locator("output.text")).to_have_text("6")
    expect(entry(page, "six.png")).to_be_hidden()


def test_a_single_picture_survives_going_on_and_back(page: Page, save: Save) -> None:
    answering: list[str] = []  # the pages that get answers

    def answer(route: Route) -> None:
        if page.url in answering:
            route.continue_()

    reading = page.locator(".task:is([data-state=sending], [data-state=reading])")
    page.route(API, answer)
    page.goto("/")
    page.set_input_files("#picture", save("7", "travels.png"))
    expect(reading).to_have_count(1)
    page.goto("/models/")
    expect(reading).to_have_count(1)
    answering.append(page.url.removesuffix("models/"))
    page.go_back()
    expect(page.locator("output.text")).to_have_text("7")  # on the page it was chosen on
    expect(entry(page, "travels.png")).to_be_hidden()
    page.set_input_files("#picture", save("3", "finds.png"))
    expect(reading).to_have_count(1)
    answering.append(f"{answering[0]}models/")
    page.goto("/models/")
    expect(entry(page, "finds.png").get_by_role("link")).to_have_text("3")
    names = [r["file_name"] for r in page.request.get(RECENT).json()["results"]]
    assert (names.count("travels.png"), names.count("finds.png")) == (1, 1)


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
    expect(entry(page, "nine.png")).to_contain_text("The site cannot be reached; retrying")
    start_server(tmp_path, prepared=True, PORT=server.environment["PORT"])
    expect(page.locator("output.text")).to_have_text("9", timeout=60_000)  # by itself


def test_does_not_send_what_is_too_large(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(20_000_001)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto("/")
    page.set_input_files("#picture", large)
    expect(entry(page, "large.png")).to_contain_text(
        "This file is too large. Choose one of at most 20 MB."
    )
    assert "POST" not in sent


def test_lines_of_a_text_are_not_run_together_on_one_line(
    page: Page, two_lines: Path, sign_in: Callable[[Page, str], None]
) -> None:
    sign_in(page, "olga")
    page.set_input_files("#picture", two_lines)
    page.wait_for_url("**#answer")
    expect(page.locator("output.text")).to_have_text("173\n720", use_inner_text=True)
    expect(page).to_have_title("173 · 720 – Handwritten digits")
    expect(page.locator("[data-tray-live]")).to_have_text("meter.png: 173 · 720")
    address = page.get_by_role("link", name="Details").get_attribute("href")
    page.reload()
    expect(page).to_have_title("173 · 720 – Handwritten digits")
    page.goto(f"{address}delete")
    expect(page.get_by_text("“173 · 720”")).to_be_visible()
    page.goto("/predictions/?limit=2")
    expect(page.get_by_role("checkbox", name="Select 173 · 720 meter.png")).to_be_visible()
    page.goto("/uploads/")
    page.set_input_files("#files", two_lines)
    page.get_by_role("button", name="Read them").click()
    expect(page.locator(".task").get_by_role("link")).to_have_text("173 · 720")


def test_what_was_kept_is_not_kept_again_by_trying_again(
    page: Page, save: Save, complaints: Complaints
) -> None:
    complaints.expect("ERR_FAILED")
    page.goto("/")

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(API, lose_answer, times=1)
    page.set_input_files("#picture", save("7", "kept-once.png"))
    expect(page.locator("output.text")).to_have_text("7")  # tried again by itself
    results = page.request.get(RECENT).json()["results"]
    assert [result["file_name"] for result in results].count("kept-once.png") == 1
