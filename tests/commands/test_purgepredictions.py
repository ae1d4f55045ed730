"""manage.py purgepredictions deletes what is too old, on both stores, and nothing else."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from predictions import retention
from predictions.models import AuditEntry
from predictions.stores.base import PredictionStore
from predictions.stores.sql import SQLStore
from tests.records import make_picture, make_record

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["sql", pytest.param("cassandra", marks=pytest.mark.cassandra)])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PredictionStore:
    kept: Any = SQLStore() if request.param == "sql" else request.getfixturevalue("cassandra_store")
    monkeypatch.setattr(retention, "get_store", lambda: kept)
    monkeypatch.setattr(retention, "BATCH", 4)
    return kept  # type: ignore[no-any-return]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("purgepredictions", *arguments, stdout=out)
    return out.getvalue()


def test_deletes_what_is_older_and_its_pictures(store: PredictionStore) -> None:
    now = timezone.now()
    records = [make_record("7", at=now - timedelta(days=days)) for days in range(12)]
    for record in records:
        store.add(record, make_picture(record))
    out = run("--days", "3")
    assert out.startswith("9 predictions from before ")
    assert [record.id for record in store.latest()] == [record.id for record in records[:3]]
    assert store.picture(records[5].id) is None
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.details) == ("purged", {"deleted": 9})
    assert run("--days", "3").startswith("0 predictions")
    assert AuditEntry.objects.count() == 1


def test_nothing_is_deleted_where_all_is_kept_for_ever() -> None:
    with pytest.raises(CommandError, match="RETENTION_DAYS"):
        run()
