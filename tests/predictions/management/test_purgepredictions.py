"""manage.py purgepredictions deletes what is too old, on both stores, and nothing else."""

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from predictions import services
from predictions.access.models import AuditEntry
from predictions.core.errors import StoreUnavailable
from predictions.core.records import PredictionRecord, Status
from predictions.review import queue
from predictions.review.corrections import Verdict
from predictions.review.models import Correction, ReviewItem
from predictions.services import retention
from predictions.statistics import daily_counts
from predictions.stores.interface import PredictionStore
from tests.support.records import make_picture, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(each_store: PredictionStore, monkeypatch: pytest.MonkeyPatch) -> PredictionStore:
    monkeypatch.setattr(retention, "BATCH_SIZE", 4)
    return each_store


def keep(store: PredictionStore, *ages_days: float) -> list[PredictionRecord]:
    moments = [timezone.now() - timedelta(days=age) for age in ages_days]
    records = [make_record("7", at=moment, status=Status.NEEDS_REVIEW) for moment in moments]
    for record in records:
        store.add(record, make_picture(record))
    return records


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("purgepredictions", *arguments, stdout=out)
    return out.getvalue()


def test_deletes_what_is_older_and_its_pictures(store: PredictionStore) -> None:
    records = keep(store, *range(12))
    out = run("--days", "3")
    assert out.startswith("9 predictions from before ")
    assert [record.id for record in store.latest()] == [record.id for record in records[:3]]
    assert store.picture(records[5].id) is None
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.action, entry.details) for entry in entries] == [
        ("purged", {"deleted": count}) for count in (4, 4, 1)
    ]
    assert run("--days", "3").startswith("0 predictions")
    assert AuditEntry.objects.count() == 3


@pytest.mark.parametrize("by_itself", [False, True], ids=["purged", "ended by itself"])
def test_what_was_said_of_it_goes_too(store: PredictionStore, by_itself: bool) -> None:
    rita = User.objects.create_user("rita")
    corrected, waiting, *stay = keep(store, 10, 9, 2, 1)
    queue.enqueue([corrected, waiting, *stay])
    for record in (corrected, stay[0]):
        services.correct(record, verdict=Verdict.TEXT, text="1", by=rita)
    if by_itself:  # as by a time to live
        for record in (corrected, waiting):
            store.delete(record.id)
    run("--days", "3")
    assert [record.id for record in store.latest()] == [stay[1].id, stay[0].id]
    assert {entry.prediction_id for entry in Correction.objects.all()} == {stay[0].id}
    assert {item.prediction_id for item in ReviewItem.objects.all()} == {stay[1].id}


@pytest.mark.parametrize("by_itself", [False, True], ids=["purged", "ended by itself"])
def test_its_days_are_summed_again(store: PredictionStore, by_itself: bool) -> None:
    old, older, stays = keep(store, 10, 9, 1)
    today = timezone.now().date()
    since, until = today - timedelta(days=20), today + timedelta(days=1)
    daily_counts.keep_counts()
    assert daily_counts.collect_statistics(since, until).total.predictions == 3
    if by_itself:
        for record in (old, older):
            store.delete(record.id)
        assert daily_counts.collect_statistics(since, until).total.predictions == 3
    run("--days", "3")
    assert daily_counts.collect_statistics(since, until).total.predictions == 1
    daily_counts.keep_counts(now=timezone.now() + timedelta(minutes=5))
    assert daily_counts.collect_statistics(since, until).total.predictions == 1
    assert store.get(stays.id) == stays


def test_days_that_are_summed_between_two_batches_are_summed_again(store: PredictionStore) -> None:
    keep(store, *range(10, 18))
    now = timezone.now()
    since, until = now.date() - timedelta(days=20), now.date()

    def total(minutes: int) -> int:
        later = now + timedelta(minutes=minutes)  # when a change before has settled
        daily_counts.keep_counts(now=later)
        return daily_counts.collect_statistics(since, until).total.predictions

    batches = retention.purge(now)
    assert next(batches) == 4
    assert total(minutes=2) == 4
    assert sum(batches) == 4
    assert total(minutes=4) == 0


def test_sessions_that_have_expired_are_deleted(store: PredictionStore) -> None:
    for days in (-9, -8, -7, -6, -5, 1):
        session = SessionStore()
        session.set_expiry(timezone.now() + timedelta(days=days))
        session.save()
    assert "5 expired sessions were deleted." in run("--days", "3")
    assert [session.session_key for session in Session.objects.all()] == [session.session_key]
    assert "0 expired sessions were deleted." in run("--days", "3")


def test_nothing_is_deleted_where_all_is_kept_for_ever() -> None:
    with pytest.raises(CommandError, match="RETENTION_DAYS"):
        run()


def test_a_purge_that_fails_keeps_and_audits_what_it_did(
    store: PredictionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = User.objects.create_user("rita")
    records = keep(store, *range(10, 18))
    for record in records:
        services.correct(record, verdict=Verdict.TEXT, text="1", by=rita)
    AuditEntry.objects.all()._raw_delete(AuditEntry.objects.db)
    delete, left = store.delete, iter(range(6))

    def fail(prediction_id: UUID) -> bool:
        if next(left, None) is None:
            raise StoreUnavailable
        return delete(prediction_id)

    monkeypatch.setattr(store, "delete", fail)
    with pytest.raises(CommandError, match=r"does not answer\. 4 predictions from before"):
        run("--days", "3")
    assert [entry.details for entry in AuditEntry.objects.all()] == [{"deleted": 4}]
    corrected = {entry.prediction_id for entry in Correction.objects.all()}
    assert corrected == {record.id for record in records[4:]}
    monkeypatch.undo()
    run("--days", "3")
    assert not Correction.objects.exists()
    assert not list(store.latest())
