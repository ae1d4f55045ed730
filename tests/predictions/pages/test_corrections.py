"""Correcting on a prediction's page, and the review queue, both without a script."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from predictions.core.records import Status
from predictions.review import corrections, queue
from predictions.review.models import Correction, ReviewItem
from tests.predictions.conftest import Keep
from tests.support.html import alerts, find, text_of
from tests.support.records import make_digit

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewing(browser: Client) -> Client:
    user = User.objects.create_user("rita", password="correct horse")
    user.user_permissions.add(Permission.objects.get(codename="review_prediction"))
    browser.force_login(user)
    return browser


@pytest.mark.usefixtures("each_store")
def test_a_correction_comes_first_and_what_was_read_stands_beside_it(
    reviewing: Client, keep: Keep
) -> None:
    record = keep("31")
    page = reviewing.post(f"/predictions/{record.id}/correct", {"text": "37"}, follow=True)
    assert page.redirect_chain == [(f"/predictions/{record.id}/", 302)]
    assert Correction.objects.get().labels == [3, 7]
    (output,) = find(page, "output")
    assert output.text == "37"
    assert text_of(page, "p", class_="was-read") == "Corrected by rita; originally read as 31"
    history = Client().get("/predictions/")
    assert text_of(history, "a", class_="history-text") == "37 31"
    assert text_of(history, "s", class_="was-read") == "31"


@pytest.mark.parametrize(
    ("verdict", "words"), [("not_a_digit", "No digit"), ("illegible", "Illegible")]
)
def test_a_picture_without_a_number_is_said_so(
    reviewing: Client, keep: Keep, verdict: str, words: str
) -> None:
    record = keep("31")
    # The field holds what was read, as a browser sends it with every button.
    reviewing.post(f"/predictions/{record.id}/correct", {"text": "31", "verdict": verdict})
    kept = Correction.objects.get()
    assert (kept.verdict, kept.text) == (verdict, "")
    assert text_of(reviewing.get(f"/predictions/{record.id}/"), "output") == words


def test_a_confirmed_reading_is_called_right(reviewing: Client, keep: Keep) -> None:
    record = keep("31\n4")
    reviewing.post(f"/predictions/{record.id}/correct", {"text": "31\r\n4"})
    page = reviewing.get(f"/predictions/{record.id}/")
    assert text_of(page, "p", class_="was-read") == "Confirmed by rita"
    assert not find(reviewing.get("/predictions/"), "s")


def test_a_correction_that_says_nothing_is_refused_beside_the_form(
    reviewing: Client, keep: Keep
) -> None:
    record = keep("31")
    page = reviewing.post(f"/predictions/{record.id}/correct", {"text": "three"})
    assert page.status_code == 400
    (problem,) = alerts(page)
    assert "digits 0 to 9" in problem
    assert not Correction.objects.exists()
    assert reviewing.post(f"/predictions/{record.id}/correct", {"verdict": "?"}).status_code == 400


def test_the_last_correction_is_taken_back(reviewing: Client, keep: Keep) -> None:
    record = keep("31")
    reviewing.post(f"/predictions/{record.id}/correct", {"text": "37"})
    page = reviewing.post(f"/predictions/{record.id}/undo", follow=True)
    assert text_of(page, "output") == "31"
    entries = text_of(page, "ol", class_="entries")
    assert "undid the last correction" in entries
    assert entries.endswith("37")
    again = reviewing.post(f"/predictions/{record.id}/undo", follow=True)
    assert "no correction to undo" in text_of(again, "p", class_="note warning")


def test_who_may_not_review_sees_no_form(browser: Client, keep: Keep) -> None:
    record = keep("31")
    assert not find(browser.get(f"/predictions/{record.id}/"), "textarea")
    for path in (f"/predictions/{record.id}/correct", f"/predictions/{record.id}/undo"):
        assert browser.post(path, {"text": "3"}).status_code == 302
    assert browser.get("/review/").status_code == 302
    browser.force_login(User.objects.create_user("vera"))
    assert browser.get("/review/").status_code == 403
    assert browser.post(f"/predictions/{record.id}/correct", {"text": "3"}).status_code == 403
    assert not Correction.objects.exists()


@pytest.mark.usefixtures("each_store")
def test_works_the_queue_off_and_takes_an_answer_back(reviewing: Client, keep: Keep) -> None:
    records = [keep(str(n), margin=n / 10, status=Status.NEEDS_REVIEW) for n in (1, 2)]
    queue.enqueue(records)
    for ask in (reviewing.get, reviewing.head, reviewing.get):
        page = ask("/review/")
        assert not find(page, "textarea")
        assert not ReviewItem.objects.exclude(claimed_by="").exists()
    assert "Start reviewing" in text_of(page, "main")
    page = reviewing.post("/review/", follow=True)
    assert text_of(page, "p", class_="progress").startswith("1 of 2")
    assert text_of(reviewing.get("/review/"), "textarea") == "1"
    assert text_of(page, "textarea") == "1"
    (form,) = find(page, "form", **{"class": "correct stacked"})
    page = reviewing.post(form.attributes["action"], {"text": "7", "verdict": "text"}, follow=True)
    assert text_of(page, "textarea") == "2"
    assert text_of(page, "p", class_="progress").startswith("2 of 2")
    (undo,) = [f for f in find(page, "form") if f.attributes["action"].endswith("/undo")]
    page = reviewing.post(undo.attributes["action"], {"review": "yes"}, follow=True)
    assert text_of(page, "textarea") == "1"
    reviewing.post(f"/review/{records[0].id}", {"verdict": "illegible", "text": "1"})
    page = reviewing.post(f"/review/{records[1].id}", {"skip": "yes", "text": "2"}, follow=True)
    assert not find(page, "textarea")
    assert "The waiting predictions are being reviewed by others or were skipped" in text_of(
        page, "div", class_="empty card"
    )
    assert ReviewItem.objects.get().prediction_id == records[1].id
    verdicts = list(Correction.objects.order_by("pk").values_list("verdict", "text"))
    assert verdicts == [("text", "7"), ("", ""), ("illegible", "")]


def test_a_lost_claim_and_a_wrong_text_are_told(reviewing: Client, keep: Keep) -> None:
    record = keep("1", status=Status.NEEDS_REVIEW)
    queue.enqueue([record])
    reviewing.post("/review/")
    wrong = reviewing.post(f"/review/{record.id}", {"text": "one"})
    assert wrong.status_code == 400
    assert "digits 0 to 9" in alerts(wrong)[0]
    ReviewItem.objects.update(claimed_by="olga")
    lost = reviewing.post(f"/review/{record.id}", {"text": "1"}, follow=True)
    assert "no longer assigned to you" in text_of(lost, "p", class_="note warning")
    assert not Correction.objects.exists()


def test_pages_ask_little_of_the_database(reviewing: Client, keep: Keep) -> None:
    records = [keep("1", status=Status.NEEDS_REVIEW) for _ in range(20)]
    queue.enqueue(records)
    for record in records:
        reviewing.post(f"/predictions/{record.id}/correct", {"text": "2"})
        queue.enqueue([record])
    queue.enqueue([keep("3", status=Status.NEEDS_REVIEW, margin=0.0)])
    for path in ("/predictions/", f"/predictions/{records[0].id}/", "/review/", "/models/"):
        with CaptureQueriesContext(connection) as queries:
            assert reviewing.get(path).status_code == 200
        assert len(queries) <= 12, path


def test_skipping_what_was_never_claimed_is_told(reviewing: Client, keep: Keep) -> None:
    record = keep("1", status=Status.NEEDS_REVIEW)
    queue.enqueue([record])
    page = reviewing.post(f"/review/{record.id}", {"skip": "yes"}, follow=True)
    assert "no longer assigned to you" in text_of(page, "p", class_="note warning")
    assert text_of(page, "textarea") == "1"  # it claims the next


@pytest.mark.usefixtures("each_store")
def test_the_same_picture_is_answered_once_and_for_all_that_sent_it(
    reviewing: Client, keep: Keep
) -> None:
    same = [keep("1", status=Status.NEEDS_REVIEW, confidence=0.2) for _ in range(3)]
    other = keep("2", status=Status.NEEDS_REVIEW, confidence=0.3)
    queue.enqueue([*same, other])
    page = reviewing.post("/review/", follow=True)
    assert text_of(page, "p", class_="progress").startswith("1 of 2")
    (form,) = find(page, "form", **{"class": "correct stacked"})
    page = reviewing.post(form.attributes["action"], {"text": "7"}, follow=True)
    assert text_of(page, "p", class_="progress").startswith("2 of 2")
    assert text_of(page, "textarea") == "2"
    corrected = Correction.objects.values_list("prediction_id", "text")
    assert set(corrected) == {(record.id, "7") for record in same}
    (undo,) = find(page, "form", **{"class": "undo"})
    page = reviewing.post(undo.attributes["action"], {"review": "yes"}, follow=True)
    assert text_of(page, "textarea") == "1"
    assert text_of(page, "p", class_="progress").startswith("1 of 2")
    assert not corrections.current(record.id for record in same)
    assert ReviewItem.objects.count() == 4


def test_putting_off_moves_the_counter(reviewing: Client, keep: Keep) -> None:
    for number in (1, 2, 3):
        queue.enqueue([keep(str(number), status=Status.NEEDS_REVIEW, confidence=number / 10)])
    page = reviewing.post("/review/", follow=True)
    for number in (2, 3):
        (form,) = find(page, "form", **{"class": "correct stacked"})
        page = reviewing.post(form.attributes["action"], {"skip": "yes"}, follow=True)
        assert text_of(page, "p", class_="progress").startswith(f"{number} of 3")


def test_the_least_sure_digit_comes_first(reviewing: Client, keep: Keep) -> None:
    digits = (make_digit(1), make_digit(2, confidence=0.6), make_digit(3, confidence=0.5))
    queue.enqueue([keep("123", digits=digits, status=Status.NEEDS_REVIEW)])
    page = reviewing.post("/review/", follow=True)
    crops = [e.attributes["data-crop"] for e in find(page, "li") if "data-crop" in e.attributes]
    assert crops == ["2", "1", "0"]


def test_the_keys_of_the_picture_are_listed_for_those_who_may_press_them(
    reviewing: Client, keep: Keep
) -> None:
    address = f"/predictions/{keep('31').id}/"
    for client, may in ((reviewing, True), (Client(), False)):
        page = client.get(address).content.decode()
        assert "Choose another digit" in page
        assert ("Correct the chosen digit" in page) is may
