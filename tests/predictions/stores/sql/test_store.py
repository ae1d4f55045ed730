"""What the SQL store does beyond the contract."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from predictions.core.errors import AlreadyKept, StoreUnavailable
from predictions.core.records import Filters, Source, Status
from predictions.stores.sql.models import Picture, Prediction, PredictionDigit, PredictionTerm
from predictions.stores.sql.store import SQLStore, _conditions, _Ids, _newest_first
from tests.support.records import make_id, make_picture, make_record

pytestmark = pytest.mark.django_db


def test_refuses_the_same_id_twice_and_keeps_the_first() -> None:
    store, record = SQLStore(), make_record("1")
    store.add(record, make_picture(record))
    again = make_record("2", id=record.id)
    with pytest.raises(AlreadyKept), transaction.atomic():
        store.add(again, make_picture(again))
    assert store.get(record.id) == record
    assert Prediction.objects.count() == Picture.objects.count() == 1


def test_keeps_nothing_of_a_prediction_whose_picture_cannot_be_kept() -> None:
    def fail_on_picture(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith('INSERT INTO "predictions_picture"'):
            raise OperationalError("database or disk is full")
        return execute(sql, *rest)

    record = make_record("1")
    with connection.execute_wrapper(fail_on_picture), pytest.raises(StoreUnavailable):
        SQLStore().add(record, make_picture(record))
    assert SQLStore().get(record.id) is None
    assert not PredictionDigit.objects.exists()


def test_says_when_the_database_does_not_answer() -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    store, record = SQLStore(), make_record("1")
    calls: list[Callable[[], object]] = [
        lambda: store.add(record, make_picture(record)),
        lambda: store.get(record.id),
        lambda: store.get_many([record.id]),
        lambda: store.picture(record.id),
        lambda: store.latest(),
        lambda: store.latest(Filters(digit=1)),
        lambda: list(store.export()),
        lambda: store.delete(record.id),
        lambda: store.ping(),
    ]
    with connection.execute_wrapper(refuse):
        for call in calls:
            with pytest.raises(StoreUnavailable, match="nothing was stored"):
                call()


def test_lists_never_touch_pictures() -> None:
    store = SQLStore()
    for text in ("1", "2"):
        record = make_record(text)
        store.add(record, make_picture(record))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        store.latest()
        store.latest(Filters(digit=1, status=Status.READ))
    assert len(queries) == 3
    assert not any("predictions_picture" in query["sql"] for query in queries)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(), "sqlite_autoindex_predictions_prediction_1"),
        (Filters(status=Status.READ), "prediction_status"),
        (Filters(digit=3), "PRIMARY KEY|digit_status|sqlite_autoindex_predictions_predictiondigit"),
        (Filters(digit=3, status=Status.READ), "digit_status"),
        (Filters(number="124"), "sqlite_autoindex_predictions_predictionterm_1"),
        (Filters(file_name="scan"), "sqlite_autoindex_predictions_predictionterm_1"),
        (Filters(created_by="ada"), "prediction_created_by"),
        (Filters(source=Source.API), "prediction_source"),
        (Filters(model_version=3), "prediction_model_version"),
    ],
)
def test_every_list_is_read_along_an_index(filters: Filters, index: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's query plans")
    with CaptureQueriesContext(connection) as queries:
        SQLStore().latest(filters, limit=50)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        plan = " / ".join(row[3] for row in cursor.fetchall())
    assert any(name in plan for name in index.split("|")), plan
    assert "TEMP B-TREE" not in plan, plan


def test_every_query_of_a_search_for_several_things_uses_an_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's query plans")
    filters = Filters(
        number="124 7",
        file_name="scan 17",
        created_by="ada",
        source=Source.API,
        model_version=3,
        digit=4,
        status=Status.READ,
    )
    with CaptureQueriesContext(connection) as queries:
        _newest_first(filters, None, 51)
        for rows in _conditions(filters):
            _Ids(rows, {}).having([make_id()])
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            for row in cursor.fetchall():
                assert "SCAN" not in row[3], (query, row)
                assert "ORDER BY" not in row[3] or "id IN" in query["sql"], (query, row)


def test_terms_go_with_their_prediction() -> None:
    store, record = SQLStore(), make_record("1247", file_name="scan.png")
    store.add(record, make_picture(record))
    assert set(PredictionTerm.objects.values_list("term", flat=True)) == record.terms
    store.delete(record.id)
    assert not PredictionTerm.objects.exists()
