"""Reviewers work the queue off, by keyboard, each on items of their own."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.each_store]
SignIn = Callable[[Page, str], None]
Wait = Callable[..., list[str]]
# With a picture of its own each, the least sure first.
QUEUE = """
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import cv2, numpy as np
from predictions.review import queue
from predictions.review.models import ReviewItem
from predictions.core.records import PictureRecord, Status
from predictions.stores import get_store
from tests.support.records import GLYPH_BYTES, make_record
ReviewItem.objects.all().delete()
preview = cv2.imencode(".webp", np.full((140, 280), 255, np.uint8))[1].tobytes()
for number, text in enumerate({texts}):
    record = make_record(
        text, at=datetime.now(UTC) - timedelta(minutes=number),
        status=Status.NEEDS_REVIEW, confidence=0.1 * (number + 1),
    )
    sure = {sure}
    if sure:
        digits = [replace(d, confidence=c) for d, c in zip(record.digits, sure)]
        record = replace(record, digits=tuple(digits))
    glyphs = bytes(GLYPH_BYTES * len(record.digits))
    get_store().add(record, PictureRecord(id=record.id, preview=preview, glyphs=glyphs))
    queue.enqueue([record])
    print(record.id)
"""


@pytest.fixture
def wait(server: Server) -> Wait:
    """Let predictions that read these texts, and nothing else, wait for review; give their ids.

    `sure`: the confidence of each digit.
    """

    def queue(*texts: str, sure: tuple[float, ...] = ()) -> list[str]:
        code = QUEUE.format(texts=texts, sure=sure)
        return server.manage("shell", "-v0", "-c", code).split()

    return queue


def corrections(page: Page, ids: list[str]) -> list[tuple[str, str] | None]:
    """What stands beside each prediction: verdict and text."""
    kept = [page.request.get(f"/api/v1/predictions/{one}").json()["correction"] for one in ids]
    return [one and (one["verdict"], one["text"]) for one in kept]


def test_the_queue_is_worked_off_by_keyboard_alone(page: Page, wait: Wait, sign_in: SignIn) -> None:
    ids = wait("1", "4", "7", "9")
    sign_in(page, "olga")
    page.goto("/review/")
    expect(page.get_by_text("4 pictures are waiting for review, least sure first.")).to_be_visible()
    expect(page.get_by_role("button", name="Start reviewing")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_label("What the picture shows")
    count = page.locator(".progress")
    expect(count).to_contain_text("1 of 4")
    expect(field).to_have_value("1")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("2")  # instead of the chosen digit
    page.keyboard.press("Insert")
    page.keyboard.press("3")
    expect(field).to_have_value("23")
    page.keyboard.press("Enter")
    expect(count).to_contain_text("2 of 4")
    expect(field).to_have_value("4")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("n")
    expect(field).to_have_value("7")
    assert corrections(page, ids) == [("text", "23"), ("not_a_digit", ""), None, None]
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_text("The last correction was undone.")).to_be_visible()
    expect(field).to_have_value("4")
    expect(count).to_contain_text("2 of 4")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("Enter")
    expect(field).to_have_value("7")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("i")
    expect(field).to_have_value("9")
    expect(page.get_by_role("listbox")).to_be_focused()
    page.keyboard.press("s")  # it comes again later: not now
    expect(
        page.get_by_text("The waiting predictions are being reviewed by others or were skipped")
    ).to_be_visible()
    assert corrections(page, ids) == [("text", "23"), ("text", "4"), ("illegible", ""), None]


def test_the_least_sure_digit_comes_first_and_one_key_answers_it(
    page: Page, wait: Wait, sign_in: SignIn
) -> None:
    ids = wait("481", sure=(0.9, 0.3, 0.6))
    sign_in(page, "olga")
    page.goto("/review/")
    page.get_by_role("button", name="Start reviewing").click()
    crops = page.locator("[data-crop]")
    expect(crops.locator(".crop-digit")).to_have_text(["8", "1", "4"])
    chosen = page.locator(".printed").get_by_role("option", selected=True)
    expect(chosen).to_have_text("8")
    expect(crops.nth(0).get_by_role("button")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("3")
    expect(chosen).to_have_text("1")  # the next unsure one
    page.keyboard.press("7")
    field = page.get_by_label("What the picture shows")
    expect(field).to_have_value("437")
    page.keyboard.press("u")  # nothing was sent: the draft goes back
    expect(field).to_have_value("481")
    assert corrections(page, ids) == [None]
    crops.nth(2).get_by_role("button").click()
    expect(chosen).to_have_text("4")
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The review queue is empty.")).to_be_visible()
    assert corrections(page, ids) == [("text", "981")]
    # The undo stands beside the answer, also after the last one.
    page.get_by_role("button", name="Undo last correction").click()
    expect(field).to_have_value("481")


def test_two_reviewers_never_get_the_same(new_page: NewPage, wait: Wait, sign_in: SignIn) -> None:
    ids = wait("1", "4")
    pages = [new_page(), new_page(java_script_enabled=False)]
    shown = []
    for page, name in zip(pages, ("olga", "otto"), strict=True):
        sign_in(page, name)
        page.goto("/review/")
        page.get_by_role("button", name="Start reviewing").click()
        shown.append(page.get_by_label("What the picture shows").input_value())
    assert shown == ["1", "4"]
    # What is put off comes to nobody at once; without JavaScript all goes by the buttons.
    pages[1].get_by_role("button", name="Skip").click()
    expect(
        pages[1].get_by_text("The waiting predictions are being reviewed by others")
    ).to_be_visible()
    pages[0].get_by_role("button", name="Confirm").click()
    expect(
        pages[0].get_by_text("The waiting predictions are being reviewed by others")
    ).to_be_visible()
    assert corrections(pages[0], ids) == [("text", "1"), None]


def test_who_may_not_review_is_told_so(page: Page, sign_in: SignIn) -> None:
    page.goto("/review/")
    expect(page.get_by_text("Sign in to see this page.")).to_be_visible()
    sign_in(page, "vera")
    expect(page.get_by_role("link", name="Review")).to_have_count(0)
