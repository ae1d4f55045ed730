"""A person works the review queue off without touching the mouse."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.server]
SignIn = Callable[[Page, str], None]
# Less sure than anything that other tests leave in the queue.
MAKE_ITEMS = """
from predictions import review
from predictions.records import Status
from predictions.stores import get_store
from tests.records import make_picture, make_record
for place, text in enumerate(["31", "42", "53"]):
    record = make_record(text, status=Status.NEEDS_REVIEW, margin=place / 10_000)
    get_store().add(record, make_picture(record))
    review.enqueue([record])
    print(record.id)
"""


def test_types_goes_on_takes_back_and_is_done(page: Page, server: Server, sign_in: SignIn) -> None:
    ids = server.manage("shell", "-v0", "-c", MAKE_ITEMS).split()
    sign_in(page, "olga")
    page.goto("/review/")
    shown = page.get_by_label("What the picture shows")
    expect(shown).to_have_value("31")
    expect(shown).to_be_focused()
    page.keyboard.type("99")  # in place of what was read
    page.keyboard.press("Enter")
    expect(shown).to_have_value("42")
    page.keyboard.press("u")
    expect(shown).to_have_value("31")
    page.keyboard.type("37")
    page.keyboard.press("Enter")
    expect(shown).to_have_value("42")
    page.keyboard.press("n")
    expect(shown).to_have_value("53")
    page.keyboard.press("s")  # it comes again later: not now
    expect(page.locator("textarea", has_text="53")).to_have_count(0)

    def said(prediction_id: str) -> list[tuple[str, str]]:
        entries = page.request.get(f"/api/v1/predictions/{prediction_id}/corrections").json()
        return [(entry["verdict"], entry["text"]) for entry in entries]

    assert said(ids[0]) == [("text", "37"), ("undo", ""), ("text", "99")]
    assert said(ids[1]) == [("not_a_digit", "")]
    assert said(ids[2]) == []
