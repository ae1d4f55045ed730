"""`/predictions/<id>/` and its deletion."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group, User
from django.test import Client

from predictions import services
from predictions.review.corrections import Verdict
from predictions.stores import get_store
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.records import make_digit, make_id, make_mark

pytestmark = pytest.mark.django_db


def facts(response: Any) -> dict[str, str]:
    names = [element.text for element in find(response, "dt")]
    return dict(zip(names, [element.text for element in find(response, "dd")], strict=True))


def test_shows_all_that_is_kept(
    client: Client, keep: Keep, django_assert_num_queries: Callable[..., Any]
) -> None:
    record = keep("7", created_by="ada", duration_ms=4.24)
    with django_assert_num_queries(2):  # it, and its correction
        response = client.get(f"/predictions/{record.id}/")
    assert response.status_code == 200
    assert text_of(response, "h1") == "7"
    assert text_of(response, "title") == "7 – Handwritten digits"
    assert text_of(response, "output") == "7"
    assert facts(response) == {
        "File": "seven.png",
        "Read at": "Mar 1, 2026, 12:00 PM UTC",
        "Uploaded by": "ada",
        "Source": "API",
        "Picture": "280 × 140 pixels, 1.2 KB",
        "Model version": "0",
        "Processing time": "4.2 ms",
        "ID": str(record.id),
    }
    assert len(find(response, "li")) == 10
    assert f"/api/v1/predictions/{record.id}" in text_of(response, "details", class_="program")
    assert find(response, "a", href=f"/api/v1/predictions/{record.id}?format=json")


def test_prints_the_digits_in_the_pixels_of_the_upright_picture(client: Client, keep: Keep) -> None:
    response = client.get(f"/predictions/{keep('7').id}/")
    assert find(response, "svg", viewbox="0 0 280 140")
    assert find(response, "rect", x="3", y="5", width="20", height="28")
    (preview,) = find(response, "image", width="280", height="140")
    assert preview.attributes["aria-label"] == "Uploaded picture: seven.png"
    (printed,) = find(response, "tspan")
    assert printed.text == "7"
    assert 0 < float(printed.attributes["x"]) < 23
    assert 0 < float(printed.attributes["y"]) < 33


@pytest.mark.usefixtures("each_store")
def test_shows_every_digit_of_several_lines(client: Client, keep: Keep) -> None:
    record = keep("12\n3")
    response = client.get(f"/predictions/{record.id}/")
    assert [row.text for row in find(response, "span", class_="row")] == ["12", "3"]
    assert [line.text for line in find(response, "text")] == ["12", "3"]
    # The chosen digit, and the others on request.
    assert text_of(response, "h3") == "Digit 1 of 3"
    assert [e.text for e in find(response, "th", scope="row")] == ["1", "2", "3"]
    assert len(find(response, "td")) == 3 * 11
    (glyph,) = find(response, "img")
    assert glyph.attributes["src"] == f"/api/v1/predictions/{record.id}/digits/0.png"


def test_shows_the_first_doubtful_digit_first(client: Client, keep: Keep) -> None:
    digits = (make_digit(1), make_digit(2, confidence=0.6), make_digit(3, confidence=0.5))
    response = client.get(f"/predictions/{keep('123', digits=digits).id}/")
    assert text_of(response, "h3") == "Digit 2 of 3"
    assert [e.text for e in find(response, "tspan", class_="doubtful")] == ["2", "3"]


def test_the_same_digit_never_has_two_percentages(client: Client, keep: Keep) -> None:
    # Certainly a 7 if it is a digit at all, which it may not be.
    digit = replace(make_digit(7, confidence=0.739), probabilities=(0.0,) * 7 + (0.953, 0.047, 0.0))
    page = client.get(f"/predictions/{keep('7', digits=(digit,), confidence=0.739).id}/")
    # It is the whole text too: said once, before all that is on request.
    assert text_of(page, "div", class_="reliability").count("73.9% sure") == 1
    shown = {part for part in text_of(page, "main").split() if part.endswith("%")}
    assert "73.9%" in shown
    assert "95.3%" not in shown


def test_only_who_may_correct_gets_keys_to_do_it(client: Client, keep: Keep, ada: User) -> None:
    record = keep("42")
    ada.groups.add(Group.objects.get(name="reviewer"))
    for address in (f"/predictions/{record.id}/", f"/?prediction={record.id}"):
        client.logout()
        assert len(find(client.get(address), "ul", class_="bars")) == 1
        client.force_login(ada)
        page = client.get(address)
        assert len(find(page, "ul", class_="bars keys")) == 1
        # The way to the explanation stands below the picture.
        (link,) = find(page, "a", class_="explained")
        assert link.attributes["href"] == f"/predictions/{record.id}/how"
        assert link.text == "How it was read, step by step"


def test_a_long_text_is_shortened_in_the_title_only(client: Client, keep: Keep) -> None:
    record = keep("\n".join(["12345678901234567890"] * 3))
    page = client.get(f"/predictions/{record.id}/")
    assert text_of(page, "h1") == "12345678901234567890 · 1234567890123456…"
    assert text_of(page, "title").startswith(text_of(page, "h1"))
    assert text_of(page, "output") == record.text.replace("\n", " ")


@pytest.mark.usefixtures("each_store")
def test_shows_marks_beside_the_digits(client: Client, keep: Keep) -> None:
    record = keep(
        "248\n6",
        marked_text="2.48\n-6",
        marks=(make_mark(".", after=0), make_mark("-", after=None, line=1)),
    )
    response = client.get(f"/predictions/{record.id}/")
    assert [row.text for row in find(response, "span", class_="row")] == ["248", "6"]
    assert [line.text for line in find(response, "text")] == ["2.48", "-6"]
    assert b"2.48<br>-6</span>" in response.content
    assert text_of(response, "p", class_="marked-text") == "With marks: 2.48-6"
    assert text_of(response, "ol", class_="marks") == (
        "Point after digit 1 (2)Dash at the start of line 2"
    )
    assert len(find(response, "rect", class_="mark", x="25", y="27", width="4", height="6")) == 2


@pytest.mark.usefixtures("each_store")
def test_without_marks_there_is_nothing_beside_the_digits(client: Client, keep: Keep) -> None:
    response = client.get(f"/predictions/{keep('248').id}/")
    assert "arks" not in text_of(response, "main")
    assert not find(response, "rect", class_="mark")


def test_the_marks_of_what_was_read_otherwise_are_not_shown_with_the_correction(
    client: Client, keep: Keep, olga: User
) -> None:
    record = keep("248", marked_text="2.48", marks=(make_mark(".", after=0),))
    path = f"/predictions/{record.id}/"
    for text, shown in (("2 48", 1), ("249", 0)):
        services.correct(record, verdict=Verdict.TEXT, text=text, by=olga)
        assert len(find(client.get(path), "p", class_="marked-text")) == shown


@pytest.mark.usefixtures("each_store")
def test_says_when_no_preview_was_kept(client: Client, keep: Keep) -> None:
    record = keep("7", has_preview=False)
    response = client.get(f"/predictions/{record.id}/")
    assert "No preview was stored for this picture." in text_of(response, "main")
    assert not find(response, "img")
    assert not find(response, "image")
    assert text_of(response, "output") == "7"
    assert [sign.text for sign in find(response, "tspan")] == ["7"]


def test_says_when_there_is_no_such_prediction(browser: Client, olga: User) -> None:
    browser.force_login(olga)
    for path in ("", "delete"):
        response = browser.get(f"/predictions/{make_id()}/{path}")
        assert response.status_code == 404
        assert "There is no prediction with this id." in alerts(response)[0]


@pytest.mark.usefixtures("each_store")
def test_who_may_deletes_after_a_question(client: Client, keep: Keep, olga: User) -> None:
    record, stays = keep("7"), keep("8")
    path = f"/predictions/{record.id}/delete"
    client.force_login(olga)
    assert find(client.get(f"/predictions/{record.id}/"), "a", href=path)
    question = client.get(path)
    assert question.status_code == 200
    assert "“7”" in text_of(question, "main")
    assert get_store().get(record.id) == record
    response = client.post(path, follow=True)
    assert response.redirect_chain == [("/predictions/", 302)]
    assert (
        text_of(response, "p", class_="note success")
        == "The prediction and its picture were deleted."
    )
    assert get_store().get(record.id) is None
    assert get_store().picture(record.id) is None
    assert [kept.id for kept in get_store().export()] == [stays.id]
    assert client.post(path).status_code == 404


def test_deleting_needs_a_csrf_token(keep: Keep, olga: User) -> None:
    record = keep("7")
    foreign = Client(enforce_csrf_checks=True)
    foreign.force_login(olga)
    assert foreign.post(f"/predictions/{record.id}/delete").status_code == 403
    assert get_store().get(record.id) == record


@pytest.mark.usefixtures("each_store")
def test_who_may_not_deletes_nothing(browser: Client, keep: Keep, ada: User) -> None:
    record = keep("7")
    path = f"/predictions/{record.id}/delete"
    for method in (browser.get, browser.post):
        assert method(path)["Location"] == f"/accounts/login/?next={path}"
    browser.force_login(ada)
    assert not find(browser.get(f"/predictions/{record.id}/"), "a", href=path)
    for method in (browser.get, browser.post):
        assert method(path).status_code == 403
    assert get_store().get(record.id) == record


def test_is_not_shown_to_strangers_where_anonymous_reading_is_off(
    client: Client, keep: Keep, settings: LazySettings, olga: User
) -> None:
    settings.ANONYMOUS_READING = False
    path = f"/predictions/{keep('7').id}/"
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"
    client.force_login(olga)
    assert client.get(path).status_code == 200
