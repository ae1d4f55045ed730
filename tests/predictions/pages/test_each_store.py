"""The pages are the same on every store, from a picture to its deletion."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from predictions.core.records import Status
from predictions.pages.history import PAGE_SIZE
from predictions.stores.interface import PredictionStore
from tests.predictions.conftest import Keep
from tests.support.html import find, text_of
from tests.support.records import NOON, minutes

Picture = Callable[..., SimpleUploadedFile]


def listed(page: Any) -> list[str]:
    return [link.text for link in find(page, "a", class_="history-text")]


@pytest.mark.parametrize(("path", "field"), [("/", "file"), ("/predict", "photo")])
def test_a_picture_is_read_kept_shown_and_deleted(
    each_store: PredictionStore,
    browser: Client,
    picture: Picture,
    olga: User,
    path: str,
    field: str,
) -> None:
    browser.force_login(olga)
    answer = browser.post(path, {field: picture()}, follow=True)
    assert answer.status_code == 200
    assert text_of(answer, "output") == "7"
    (record,) = each_store.latest()
    assert (record.text, record.file_name, record.created_by) == ("7", "seven.png", "olga")
    assert listed(browser.get("/predictions/")) == ["7"]
    detail = browser.get(f"/predictions/{record.id}/")
    assert text_of(detail, "output") == "7"
    for image in find(detail, "img"):
        if str(record.id) in image.attributes["src"]:
            assert browser.get(image.attributes["src"]).status_code == 200
    assert browser.post(f"/predictions/{record.id}/delete").status_code == 302
    assert list(each_store.latest()) == []
    assert browser.get(f"/predictions/{record.id}/").status_code == 404


def test_the_history_filters_and_pages(
    each_store: PredictionStore, client: Client, keep: Keep
) -> None:
    count = PAGE_SIZE + 3
    for i in range(count):
        status = Status.NEEDS_REVIEW if i % 2 else Status.READ
        keep(str(i % 10), at=NOON + minutes(i), status=status)
    shown, address = [], "/predictions/"
    while address:
        page = client.get(address)
        shown += listed(page)
        older = find(page, "a", class_="older")
        address = f"/predictions/{older[0].attributes['href']}" if older else ""
    assert shown == [str(i % 10) for i in reversed(range(count))]
    for query, expected in {
        "digit=3": {"3"},
        "status=needs_review": {"1", "3", "5", "7", "9"},
        "digit=4&status=needs_review": set(),
        "until=2026-03-01": set(),
    }.items():
        page = client.get(f"/predictions/?{query}")
        assert set(listed(page)) == expected
