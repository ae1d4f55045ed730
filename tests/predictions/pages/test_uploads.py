"""Files of several pages on the site: the answers of all pages, one below the other."""

import io
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from predictions.core.ids import new_id
from predictions.stores import get_store
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
