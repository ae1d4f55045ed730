"""Corrections stand beside predictions that never change, and are only ever added to."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from predictions import services
from predictions.access.models import AuditEntry
from predictions.core.errors import CorrectionRefused, StoreUnavailable
from predictions.core.records import PredictionRecord, Status
from predictions.review import corrections, queue
from predictions.review.corrections import Verdict
from predictions.review.models import Correction, ReviewItem
from predictions.stores import get_store
from predictions.stores.sql.store import SQLStore
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita() -> User:
    return User.objects.create_user("rita")


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga")


def keep(text: str = "31", status: Status = Status.NEEDS_REVIEW) -> PredictionRecord:
    record = make_record(text, status=status)
    get_store().add(record, make_picture(record))
    return record


def text_of(record: PredictionRecord) -> str | None:
    standing = corrections.current([record.id]).get(record.id)
    return None if standing is None else standing.text


def test_a_correction_stands_beside_the_prediction(rita: User) -> None:
    record = keep("31")
    made = services.correct(record, verdict=Verdict.TEXT, text=" 37 ", by=rita)
    kept = Correction.objects.get()
    assert (kept.pk, kept.verdict, kept.text, kept.labels) == (made.pk, "text", "37", [3, 7])
    assert (kept.by, kept.prediction_id) == ("rita", record.id)
    assert get_store().get(record.id) == record
    entry = AuditEntry.objects.exclude(action="account_added").get()
    assert (entry.actor, entry.action, entry.target) == ("rita", "corrected", str(record.id))
    assert entry.details == {"verdict": "text", "correction": made.pk}


@pytest.mark.parametrize(
    ("read", "text", "labels"),
    [
        ("31", "3 1", [3, 1]),
        ("31\n4", "3\n14", [3, 1, 4]),
        ("31", "314", None),
        ("", "7", None),
    ],
)
def test_as_many_digits_as_boxes_label_each(
    rita: User, read: str, text: str, labels: list[int] | None
) -> None:
    services.correct(keep(read), verdict=Verdict.TEXT, text=text, by=rita)
    kept = Correction.objects.get()
    assert (kept.text, kept.labels) == (text, labels)


@pytest.mark.parametrize("verdict", [Verdict.NOT_A_DIGIT, Verdict.ILLEGIBLE])
def test_verdicts_without_a_text(rita: User, verdict: Verdict) -> None:
    services.correct(keep(), verdict=verdict, by=rita)
    kept = Correction.objects.get()
    assert (kept.verdict, kept.text, kept.labels) == (str(verdict), "", None)


@pytest.mark.parametrize(
    ("verdict", "text", "code"),
    [
        (Verdict.TEXT, "", "no_text"),
        (Verdict.TEXT, " \n ", "no_text"),
        (Verdict.TEXT, "3O", "wrong_text"),
        (Verdict.TEXT, "\N{ARABIC-INDIC DIGIT THREE}", "wrong_text"),
        (Verdict.TEXT, "-3", "wrong_text"),
        (Verdict.TEXT, "3" * 10_001, "long_text"),
        (Verdict.ILLEGIBLE, "3", "unwanted_text"),
    ],
)
def test_a_correction_that_says_nothing_is_refused(
    rita: User, verdict: Verdict, text: str, code: str
) -> None:
    record = keep()
    queue.enqueue([record])
    with pytest.raises(CorrectionRefused) as error:
        services.correct(record, verdict=verdict, text=text, by=rita)
    assert (error.value.code, error.value.status) == (code, 400)
    assert not Correction.objects.exists()
    assert not AuditEntry.objects.exclude(action="account_added").exists()
    assert ReviewItem.objects.count() == 1


def test_the_newest_counts_and_undo_goes_back_step_by_step(rita: User, olga: User) -> None:
    record = keep("31")
    services.correct(record, verdict=Verdict.TEXT, text="37", by=rita)
    services.correct(record, verdict=Verdict.TEXT, text="87", by=olga)
    assert text_of(record) == "87"
    standing = services.undo_correction(record, by=rita)
    assert standing is not None
    assert (standing.text, text_of(record)) == ("37", "37")
    services.correct(record, verdict=Verdict.ILLEGIBLE, by=rita)
    assert services.undo_correction(record, by=rita) == standing
    assert services.undo_correction(record, by=rita) is None
    assert text_of(record) is None
    with pytest.raises(CorrectionRefused) as error:
        services.undo_correction(record, by=rita)
    assert error.value.status == 409
    # Nothing was lost on the way: three corrections and what took each back.
    entries = corrections.history(record.id)
    assert [entry.verdict for entry in entries] == ["", "", "illegible", "", "text", "text"]


def test_a_correction_is_taken_back_once() -> None:
    record = keep()
    first = corrections.add(record, verdict=Verdict.TEXT, text="8", by="rita")
    corrections.undo(record.id, by="rita")
    for fields in ({"undoes": first}, {"verdict": "text", "undoes": first}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Correction.objects.create(prediction_id=record.id, by="olga", **fields)


def test_a_page_gets_its_corrections_by_one_query(rita: User) -> None:
    records = [keep(str(number)) for number in range(10)]
    for record in records[::2]:
        services.correct(record, verdict=Verdict.TEXT, text="5", by=rita)
        services.correct(record, verdict=Verdict.TEXT, text="6", by=rita)
    with CaptureQueriesContext(connection) as queries:
        standing = corrections.current([*(record.id for record in records), uuid4()])
    assert len(queries) == 1
    assert {key: value.text for key, value in standing.items()} == {
        record.id: "6" for record in records[::2]
    }


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda: corrections.current([uuid4(), uuid4()]), "corrections_of"),
        (lambda: corrections.count(uuid4(), uuid4()), "corrections_of"),
        (lambda: queue.claimed("rita"), "review_claims"),
    ],
)
def test_what_every_page_asks_is_read_along_an_index(ask: Callable[[], Any], index: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's query plans")
    with CaptureQueriesContext(connection) as queries:
        ask()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        plan = " / ".join(row[3] for row in cursor.fetchall())
    assert f"USING INDEX {index}" in plan


def test_corrections_go_with_their_prediction(rita: User) -> None:
    gone, stays = keep(), keep()
    for record in (gone, stays):
        services.correct(record, verdict=Verdict.TEXT, text="5", by=rita)
        services.undo_correction(record, by=rita)
        services.correct(record, verdict=Verdict.ILLEGIBLE, by=rita)
    queue.enqueue([gone])
    assert services.delete(gone.id, by=rita) is True
    assert {entry.prediction_id for entry in Correction.objects.all()} == {stays.id}
    assert not ReviewItem.objects.filter(prediction_id=gone.id).exists()
    assert services.delete(gone.id, by=rita) is False


def test_corrections_stay_when_their_prediction_cannot_be_deleted(
    rita: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = keep()
    services.correct(record, verdict=Verdict.TEXT, text="5", by=rita)

    def fail(*arguments: object) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(SQLStore, "delete", fail)
    with pytest.raises(StoreUnavailable):
        services.delete(record.id, by=rita)
    assert text_of(record) == "5"


def test_texts_are_compared_without_spaces() -> None:
    assert corrections.same_text("31 4", "314")
    assert corrections.same_text("31\n4", "31 4")
    assert not corrections.same_text("31", "13")
