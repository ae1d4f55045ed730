"""Files of several pages and several files on the site: their answers, and their tables."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from predictions import services
from predictions.core.ids import new_id
from predictions.core.records import Source
from predictions.pages import uploads
from predictions.review.corrections import Verdict
from predictions.stores import get_store
from tests.predictions.conftest import Keep
from tests.support.html import find
from tests.support.pdf import pdf_of

pytestmark = pytest.mark.usefixtures("each_store")
Png = Callable[..., bytes]


@pytest.fixture
def pdf(png: Png) -> SimpleUploadedFile:
    pages = [Image.open(io.BytesIO(png(digit))) for digit in "70"]
    return SimpleUploadedFile("two.pdf", pdf_of(*pages))


@pytest.mark.parametrize("path", ["/", "/upload"])
def test_leads_to_the_answers_of_all_pages(
    browser: Client, pdf: SimpleUploadedFile, path: str
) -> None:
    response = browser.post(path, {"file": pdf})
    upload = {record.upload for record in get_store().export()}.pop()
    assert response.status_code == 302
    assert response["Location"] == f"/?upload={upload}#answer"
    page = browser.get(response["Location"])
    assert [element.text for element in find(page, "output")] == ["7", "0"]
    assert len(find(page, "section", id="answer")) == len(find(page, "section", id="answer-1")) == 1
    words = page.content.decode()
    assert words.index("Page 1") < words.index("Page 2")


def test_the_old_route_shows_all_pages_on_the_same_page(
    browser: Client, pdf: SimpleUploadedFile
) -> None:
    response = browser.post("/predict", {"photo": pdf})
    assert response.status_code == 200
    assert len(find(response, "output")) == 2
    assert len(list(get_store().export())) == 2


def test_says_when_there_is_no_such_upload(browser: Client) -> None:
    for asked in (new_id(), "x"):
        response = browser.get(f"/?upload={asked}")
        assert response.status_code == 404


def test_says_when_a_pdf_has_too_many_pages(browser: Client) -> None:
    page = Image.new("L", (20, 20), 255)
    content = SimpleUploadedFile("many.pdf", pdf_of(*[page] * 21))
    response = browser.post("/", {"file": content})
    assert response.status_code == 413
    assert "21 pages: at most 20" in response.content.decode()
    assert list(get_store().export()) == []


@pytest.fixture
def batch(browser: Client, png: Png) -> str:
    """The address of the table of three files: two pictures and a PDF of two pages between them."""
    pages = [Image.open(io.BytesIO(png(digit))) for digit in "70"]
    files = [
        SimpleUploadedFile("first.png", png("3")),
        SimpleUploadedFile("two.pdf", pdf_of(*pages)),
        SimpleUploadedFile("last.png", png("4")),
    ]
    answer = browser.post("/uploads/", {"file": files})
    assert answer.status_code == 302
    address: str = answer["Location"]
    return address


def rows(page: Any) -> list[str]:
    return [cell.text for cell in find(page, "th", scope="row")]


def test_several_files_are_read_without_javascript_and_have_a_table_of_their_own(
    browser: Client, batch: str
) -> None:
    page = browser.get(batch)
    assert rows(page) == ["3 first.png", "7 two.pdf, page 1", "0 two.pdf, page 2", "4 last.png"]
    assert find(page, "h1")[0].text == "4 pictures"
    assert {record.source for record in get_store().export()} == {Source.PAGE}


def test_the_table_is_exported_with_a_byte_order_mark_and_as_text(
    browser: Client, batch: str
) -> None:
    exported = browser.get(f"{batch}predictions.csv")
    assert exported.content.startswith(b"\xef\xbb\xbftext,")
    lines = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert [line["text"] for line in lines] == ["3", "7", "0", "4"]
    assert [line["position"] for line in lines] == ["0", "1", "1", "2"]
    assert "attachment" in exported["Content-Disposition"]
    assert browser.get(f"{batch}text").content == b"3\n7\n0\n4\n"


def test_a_correction_is_what_the_table_and_its_text_show(
    browser: Client, batch: str, olga: User
) -> None:
    record = next(r for r in get_store().export() if r.text == "3")
    services.correct(record, verdict=Verdict.TEXT, text="8", by=olga)
    assert rows(browser.get(batch))[0] == "8 first.png"
    assert browser.get(f"{batch}text").content == b"8\n7\n0\n4\n"


def test_the_pages_of_a_file_have_a_table_and_know_their_siblings(
    browser: Client, pdf: SimpleUploadedFile
) -> None:
    browser.post("/", {"file": pdf})
    second, first = get_store().export()
    page = browser.get(f"/uploads/{first.upload}/")
    assert (find(page, "h1")[0].text, rows(page)) == ("two.pdf, 2 pages", ["7", "0"])
    detail = browser.get(f"/predictions/{first.id}/")
    assert find(detail, "a", href=f"/uploads/{first.upload}/")[0].text == "Page 1 of 2"
    (following,) = find(detail, "a", rel="next")
    assert following.attributes["href"] == f"/predictions/{second.id}/"
    assert find(detail, "a", rel="prev") == []


def test_a_deleted_page_is_missing_among_the_siblings(
    browser: Client, batch: str, olga: User
) -> None:
    records = {record.text: record for record in get_store().export()}
    browser.force_login(olga)
    services.delete(records["7"].id, by=olga)
    assert rows(browser.get(batch)) == ["3 first.png", "0 two.pdf, page 2", "4 last.png"]
    detail = browser.get(f"/predictions/{records['0'].id}/")
    assert find(detail, "a", href=batch)[0].text == "2 of 3"
    assert find(detail, "a", rel="prev")[0].attributes["href"].split("/")[2] == str(records["3"].id)


@pytest.mark.parametrize("view", ["", "grid"])
def test_the_history_shows_the_pages_of_a_file_as_one_row_that_opens(
    browser: Client, pdf: SimpleUploadedFile, keep: Keep, view: str
) -> None:
    keep("5", at=datetime.now(UTC) - timedelta(hours=1))
    browser.post("/", {"file": pdf})
    page = browser.get("/predictions/", {"view": view})
    (row,) = find(page, "li", class_="history-upload")
    assert row.text.startswith("2 pages two.pdf")
    assert "two.pdf, page 1" in row.text
    assert [link.text for link in find(page, "a", class_="history-text")] == ["7", "0", "5"]


def test_the_search_finds_what_was_sent_together(browser: Client, batch: str) -> None:
    def found(**sought: str) -> list[str]:
        page = browser.get("/predictions/", sought)
        return [link.text for link in find(page, "a", class_="history-text")]

    assert found(file_name="two") == ["7", "0"]
    assert found(number="3") == ["3"]


def test_only_who_may_see_the_predictions_sees_their_table(
    browser: Client, batch: str, ada: User, olga: User, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = False
    addresses = [batch, f"{batch}predictions.csv", f"{batch}text"]
    assert [browser.get(address).status_code for address in addresses] == [302] * 3
    browser.force_login(ada)
    assert [browser.get(address).status_code for address in addresses] == [404] * 3
    browser.force_login(olga)
    assert [browser.get(address).status_code for address in addresses] == [200] * 3


def test_says_which_of_several_files_were_not_read(browser: Client, png: Png) -> None:
    words = SimpleUploadedFile("words.png", b"just words")
    files = [words, SimpleUploadedFile("seven.png", png("7"))]
    page = browser.post("/uploads/", {"file": files}, follow=True)
    assert rows(page) == ["7 seven.png"]
    assert "words.png: This file format is not supported" in page.content.decode()
    alone = browser.post("/uploads/", {"file": SimpleUploadedFile("words.png", b"just words")})
    assert alone.status_code == 400
    assert "words.png: This file format is not supported" in alone.content.decode()
    assert browser.post("/uploads/", {}).status_code == 400


@pytest.mark.parametrize("letter", ["a", "ü", "\N{GRINNING FACE}"])
def test_many_refusals_are_said_in_few_words_and_kept_nowhere(
    browser: Client, png: Png, letter: str
) -> None:
    names = [f"{letter * 200}{place}.png" for place in range(40)]
    files = [SimpleUploadedFile(name, b"just words") for name in names]
    sent = browser.post("/uploads/", {"file": [SimpleUploadedFile("7.png", png("7")), *files]})
    assert sent.status_code == 302
    assert len(sent.cookies["messages"].value) < 2048
    assert not Session.objects.exists()
    page = browser.get(sent["Location"])
    said = [element.text for element in find(page, "p", class_="note error")]
    assert len(said) == 6
    assert all(words.startswith(letter * 30) and len(words) < 300 for words in said[:5])
    assert said[5] == "35 more files were not read."


def test_messages_without_a_reader_pile_up_nowhere(browser: Client, png: Png) -> None:
    for _ in range(20):
        files = [SimpleUploadedFile("7.png", png("7")), SimpleUploadedFile("w" * 200, b"words")]
        assert browser.post("/uploads/", {"file": files}).status_code == 302
    assert len(browser.cookies["messages"].value) < 2048
    assert not Session.objects.exists()


def test_a_long_table_has_pages(browser: Client, png: Png, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ROWS_PER_PAGE", 2)
    files = [SimpleUploadedFile(f"{digit}.png", png(digit)) for digit in "73048"]
    address = browser.post("/uploads/", {"file": files})["Location"]
    shown, at = [], address
    while at:
        page = browser.get(at)
        shown += [row[0] for row in rows(page)]
        later = find(page, "a", rel="next")
        at = f"{address}{later[0].attributes['href']}" if later else ""
    assert shown == list("73048")
    assert browser.get(f"{address}text").content == b"7\n3\n0\n4\n8\n"
    for wrong in ("?start=5", "?start=99999"):
        assert browser.get(f"{address}{wrong}").status_code == 404
    assert rows(browser.get(f"{address}?start=x"))[0] == "7 7.png"


def test_an_unknown_table_is_not_found(browser: Client) -> None:
    for group_id in (new_id(), uuid4()):
        assert browser.get(f"/uploads/{group_id}/").status_code == 404
