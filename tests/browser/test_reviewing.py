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
        status=Status.NEEDS_REVIEW, margin=0.1 * (number + 1),
    )
    get_store().add(record, PictureRecord(id=record.id, preview=preview, glyphs=bytes(GLYPH_BYTES)))
    queue.enqueue([record])
    print(record.id)
"""


@pytest.fixture
def wait(server: Server) -> Wait:
    """Let predictions that read these texts, and nothing else, wait for review; give their ids."""

    def queue(*texts: str) -> list[str]:
        return server.manage("shell", "-v0", "-c", QUEUE.format(texts=texts)).split()

    return queue


def corrections(page: Page, ids: list[str]) -> list[tuple[str, str] | None]:
    """What stands beside each prediction: verdict and text."""
    kept = [page.request.get(f"/api/v1/predictions/{one}").json()["correction"] for one in ids]
    return [one and (one["verdict"], one["text"]) for one in kept]


def test_the_queue_is_worked_off_by_keyboard_alone(page: Page, wait: Wait, sign_in: SignIn) -> None:
    ids = wait("1", "4", "7", "9")
    sign_in(page, "olga")
    page.goto("/review/")
    expect(page.get_by_role("button", name="Start reviewing")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_label("What the picture shows")
    expect(page.get_by_text("4 predictions are waiting for review")).to_be_visible()
    expect(field).to_have_value("1")
    expect(field).to_be_focused()
    page.keyboard.type("23")
    page.keyboard.press("Enter")
    expect(field).to_have_value("4")
    expect(field).to_be_focused()
    page.keyboard.press("n")
    expect(field).to_have_value("7")
    assert corrections(page, ids) == [("text", "23"), ("not_a_digit", ""), None, None]
    page.keyboard.press("u")
    expect(page.get_by_text("The last correction was undone.")).to_be_visible()
    expect(field).to_have_value("4")
    page.keyboard.press("Enter")
    expect(field).to_have_value("7")
    page.keyboard.press("i")
    expect(field).to_have_value("9")
    page.keyboard.press("s")  # it comes again later: not now
    expect(
        page.get_by_text("The waiting predictions are being reviewed by others or were skipped")
    ).to_be_visible()
    assert corrections(page, ids) == [("text", "23"), ("text", "4"), ("illegible", ""), None]


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
