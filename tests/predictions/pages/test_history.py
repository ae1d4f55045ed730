"""`/predictions/`: the list, its filters, its pages."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client

from predictions.core.ids import id_of_page
from predictions.core.records import Status
from predictions.pages.history import PAGE_SIZE
from predictions.review.corrections import Verdict
from predictions.services import correct
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.records import NOON, make_id, make_mark, minutes

pytestmark = pytest.mark.django_db
URL = "/predictions/"


def texts(response: Any) -> list[str]:
    assert response.status_code == 200
    return [element.text for element in find(response, "a", class_="history-text")]


def address(response: Any, words: str) -> str | None:
    for element in find(response, "a"):
        if words in element.text:
            return element.attributes["href"]
    return None


def test_says_when_nothing_has_been_read(client: Client) -> None:
    response = client.get(URL)
    assert texts(response) == []
    assert "No predictions yet." in text_of(response, "main")
    assert address(response, "Read the first picture") == "/"


@pytest.mark.parametrize("pages", [PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 2, 2 * PAGE_SIZE + 1])
@pytest.mark.parametrize("older", [False, True])
@pytest.mark.usefixtures("each_store")
def test_a_document_at_the_edge_of_a_page_is_whole(
    client: Client, keep: Keep, pages: int, older: bool
) -> None:
    if older:
        keep("70", at=NOON)
    upload = make_id(NOON + minutes(1))
    for page in range(pages):
        keep(str(page), id=id_of_page(upload, page), upload=upload, page=page)
    keep("99", at=NOON + minutes(2))
    response = client.get(URL)
    assert texts(response) == ["99", *map(str, range(pages))]
    (summary,) = find(response, "summary")[1:]  # after that of the filters
    assert summary.text.startswith(f"{pages} pages")
    follows = address(response, "Older")
    assert (follows is not None) == older
    if follows is not None:
        assert texts(client.get(URL + follows)) == ["70"]


@pytest.mark.usefixtures("each_store")
def test_lists_newest_first_with_what_is_known(client: Client, keep: Keep) -> None:
    keep("1")
    record = keep(
        "4", at=NOON + minutes(1), file_name="four.png", status=Status.NEEDS_REVIEW, model_version=3
    )
    response = client.get(URL)
    assert texts(response) == ["4", "1"]
    first = find(response, "li")[0].text
    for words in ("Needs review", "91.0%", "four.png", "model version 3", "Mar 1, 2026, 12:01 PM"):
        assert words in first
    (time, _) = find(response, "time")
    assert time.attributes["datetime"] == "2026-03-01T12:01:00+00:00"
    image = find(response, "img", loading="lazy")[0]
    assert image.attributes["src"] == f"/api/v1/predictions/{record.id}/preview.webp"
    assert image.attributes["width"] == image.attributes["height"] == "72"
    assert address(response, "4") == f"/predictions/{record.id}/"


@pytest.mark.usefixtures("each_store")
def test_a_list_shows_marks(client: Client, keep: Keep) -> None:
    keep("248", marked_text="2.48", marks=(make_mark(".", after=0),))
    assert texts(client.get(URL)) == ["248 2.48"]


@pytest.mark.usefixtures("each_store")
def test_a_list_shows_what_has_no_text_preview_or_name(client: Client, keep: Keep) -> None:
    keep("", has_preview=False, file_name="")
    (entry,) = find(client.get(URL), "li")
    for words in ("No digit", "No preview", "No file name", "Could not be read"):
        assert words in entry.text


def test_pages_hold_every_prediction_once(client: Client, keep: Keep) -> None:
    count = 2 * PAGE_SIZE + 3
    kept = [keep(str(i % 10), at=NOON + minutes(i), file_name=f"{i}.png") for i in range(count)]
    seen: list[str] = []
    following: str | None = URL
    while following:
        page = client.get(URL + following.removeprefix(URL))
        seen += [element.text for element in find(page, "span", class_="history-file")]
        following = address(page, "Older")
    assert seen == [record.file_name for record in reversed(kept)]
    assert address(page, "Newest") == "?"


@pytest.mark.usefixtures("each_store")
def test_filters_by_digit_status_and_dates(client: Client, keep: Keep) -> None:
    keep("1", at=NOON)
    keep("2", at=NOON + minutes(24 * 60), status=Status.NEEDS_REVIEW)
    keep("", at=NOON + minutes(48 * 60))
    assert texts(client.get(URL, {"digit": "2"})) == ["2"]
    assert texts(client.get(URL, {"status": "unreadable"})) == ["No digit"]
    assert texts(client.get(URL, {"since": "2026-03-02"})) == ["No digit", "2"]
    assert texts(client.get(URL, {"until": "2026-03-02"})) == ["1"]
    assert texts(client.get(URL, {"digit": "", "status": "", "since": "", "until": ""})) == [
        "No digit",
        "2",
        "1",
    ]
    nothing = client.get(URL, {"digit": "9"})
    assert texts(nothing) == []
    assert "No matching predictions." in text_of(nothing, "main")


def test_the_form_remembers_the_filters_and_so_do_the_pages(client: Client, keep: Keep) -> None:
    for i in range(3):
        keep("5", at=NOON + minutes(i))
        keep("6", at=NOON + minutes(i))
    page = client.get(URL, {"digit": "5", "since": "2026-03-01", "limit": "2"})
    assert [option.text for option in find(page, "option", value="5", selected="")] == ["5"]
    assert find(page, "input", name="since", value="2026-03-01")
    following = address(page, "Older")
    assert following is not None
    second = client.get(URL + following)
    assert texts(second) == ["5"]
    assert texts(client.get(URL + (address(second, "Newest") or ""))) == ["5", "5"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("digit=12", "digit"),
        ("status=odd", "status"),
        ("since=yesterday", "since"),
        ("until=2026-02-30", "until"),
        ("cursor=forged", "cursor"),
        ("limit=0", "limit"),
    ],
)
def test_a_filter_that_means_nothing_is_named(
    client: Client, keep: Keep, query: str, name: str
) -> None:
    keep("7")
    response = client.get(f"{URL}?{query}")
    assert response.status_code == 400
    (said,) = alerts(response)
    assert name in said
    assert not find(response, "ol")
    assert address(response, "Show all") == URL


def test_a_page_costs_two_queries_and_by_digit_three(
    client: Client, keep: Keep, django_assert_num_queries: Callable[..., Any]
) -> None:
    for i in range(30):
        keep("7", at=NOON + minutes(i))
    with django_assert_num_queries(2):  # predictions, and their corrections
        client.get(URL)
    with django_assert_num_queries(3):
        client.get(URL, {"digit": "7"})


def test_a_page_stays_cheap_for_people_signed_in(
    client: Client, keep: Keep, olga: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    keep("7")
    client.force_login(olga)
    # Session, user, list, corrections; and by itself and by its groups, whether it may delete.
    with django_assert_max_num_queries(6):
        client.get(URL)
    everything = {
        "number": "7",
        "file_name": "seven",
        "created_by": "ada",
        "source": "api",
        "model_version": "0",
        "digit": "7",
        "status": "read",
        "corrected": "false",
    }
    with django_assert_max_num_queries(12):
        client.get(URL, everything)


@pytest.mark.usefixtures("each_store")
def test_searches_and_shows_each_filter_as_a_chip_that_takes_it_away(
    client: Client, keep: Keep
) -> None:
    keep("1247673", file_name="Scan 17.png", created_by="ada")
    keep("1247", at=NOON + minutes(1), file_name="Scan 18.png")
    keep("9")
    page = client.get(URL, {"number": "1247", "file_name": "scan", "since": "2026-03-01"})
    assert texts(page) == ["1247", "1247673"]
    chips = find(page, "a", class_="chip")
    assert [chip.text for chip in chips] == [
        "Number: 1247 ×",
        "File name: scan ×",
        "From (UTC): Mar 1, 2026 ×",
    ]
    assert chips[0].attributes["href"] == "?file_name=scan&since=2026-03-01"
    assert texts(client.get(URL + chips[0].attributes["href"])) == ["1247", "1247673"]
    assert texts(client.get(URL, {"created_by": "ada"})) == ["1247673"]
    assert find(page, "input", name="number", value="1247")


def test_a_corrected_reading_is_called_so(client: Client, keep: Keep, ada: User) -> None:
    wrong = keep("4", status=Status.NEEDS_REVIEW)
    right = keep("5", at=NOON + minutes(1), status=Status.NEEDS_REVIEW)
    correct(wrong, verdict=Verdict.TEXT, text="9", by=ada)
    correct(right, verdict=Verdict.TEXT, text="5", by=ada)
    page = client.get(URL)
    assert [e.text for e in find(page, "span", class_="status read")] == ["Confirmed", "Corrected"]
    assert texts(client.get(URL, {"number": "9"})) == ["9 4"]


def test_leaves_out_what_every_row_repeats(client: Client, keep: Keep) -> None:
    keep("1", model_version=3)
    keep("2", model_version=3, at=NOON + minutes(1))
    assert "model version" not in find(client.get(URL), "ol", class_="history")[0].text
    keep("3", model_version=4, at=NOON + minutes(2))
    assert "model version 3" in find(client.get(URL), "ol", class_="history")[0].text


def test_a_list_or_a_grid(client: Client, keep: Keep) -> None:
    for i in range(3):
        keep("5", at=NOON + minutes(i))
    assert not find(client.get(URL), "ol", class_="history grid")
    page = client.get(URL, {"view": "grid", "digit": "5", "limit": "2"})
    assert find(page, "ol", class_="history grid")
    assert "view=grid" in (address(page, "Older") or "")
    assert address(page, "List") == "?digit=5&limit=2"


def test_a_long_reading_shows_two_lines_and_says_how_many_follow(
    client: Client, keep: Keep
) -> None:
    keep("1\n2\n3\n4")
    assert "and 2 more lines" in texts(client.get(URL))[0]


def test_my_readings(client: Client, keep: Keep, ada: User, settings: LazySettings) -> None:
    keep("1", created_by="ada")
    keep("2", created_by="eve")
    assert address(client.get(URL), "My readings") is None
    client.force_login(ada)
    mine = address(client.get(URL), "My readings")
    assert mine == "?created_by=ada"
    assert texts(client.get(URL + mine)) == ["1"]
    settings.HISTORY_VISIBLE_TO = "own"
    assert texts(client.get(URL)) == ["1"]
    assert address(client.get(URL), "My readings") is None


@pytest.mark.usefixtures("each_store")
def test_who_is_not_signed_in_is_told_who_sees_the_list(
    client: Client, keep: Keep, settings: LazySettings
) -> None:
    keep("1")
    settings.HISTORY_VISIBLE_TO = "signed-in"
    page = client.get(URL)
    assert texts(page) == []
    assert "Readings are listed for people who are signed in." in text_of(page, "main")
    assert address(page, "signed in") == "/accounts/login/?next=%2Fpredictions%2F"


def test_file_names_are_shown_escaped(client: Client, keep: Keep) -> None:
    name = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>.png"
    record = keep("7", file_name=name)
    for path in (URL, f"{URL}{record.id}/", f"/?prediction={record.id}"):
        response = client.get(path)
        assert "<script>alert" not in response.content.decode()
        assert not find(response, "img", src="x")
    assert text_of(client.get(URL), "span", class_="history-file") == name
    assert text_of(client.get(f"{URL}{record.id}/"), "dd", class_="file") == name


@pytest.mark.usefixtures("each_store")
def test_is_not_shown_to_strangers_where_anonymous_reading_is_off(
    client: Client, keep: Keep, settings: LazySettings, olga: User
) -> None:
    settings.ANONYMOUS_READING = False
    keep("7")
    response = client.get(URL, {"digit": "7"})
    assert response["Location"] == "/accounts/login/?next=/predictions/%3Fdigit%3D7"
    client.force_login(olga)
    assert texts(client.get(URL)) == ["7"]


def test_says_when_the_database_does_not_answer(browser: Client, olga: User) -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    browser.force_login(olga)
    with connection.execute_wrapper(refuse):
        response = browser.get(URL)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "Try again in a few seconds" in alerts(response)[0]
