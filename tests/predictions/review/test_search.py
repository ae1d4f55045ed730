"""What is known of corrections is searched with what a store finds, on both stores."""

import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import Error, transaction

from predictions import services
from predictions.core.errors import CorrectionRefused
from predictions.core.records import Filters, Page, PredictionRecord, Source, Status
from predictions.core.terms import terms_of_text
from predictions.review import corrections, search
from predictions.review.corrections import Verdict
from predictions.review.models import CorrectionTerm
from predictions.stores import intersection
from predictions.stores.sql import store as sql_store
from tests.predictions.conftest import Keep
from tests.support.records import NOON, minutes

pytestmark = pytest.mark.usefixtures("each_store")


def found(
    filters: Filters | None = None, *, corrected: bool | None = None, limit: int = 3
) -> list[PredictionRecord]:
    """Page to the end."""
    records: list[PredictionRecord] = []
    cursor = None
    while True:
        page = search.latest(filters or Filters(), corrected=corrected, cursor=cursor, limit=limit)
        assert len(page.records) <= limit
        records += page.records
        cursor = page.next
        if cursor is None:
            everything = list(search.export(filters or Filters(), corrected=corrected))
            assert everything == records
            return records


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_corrected_number_is_found_by_both_of_its_texts(
    keep: Keep, ada: User, limit: int
) -> None:
    kept = [keep("1247" if i % 2 else "99", at=NOON + minutes(i)) for i in range(6)]
    for record in kept[:2]:
        services.correct(record, verdict=Verdict.TEXT, text="555123", by=ada)
    services.correct(kept[4], verdict=Verdict.TEXT, text="1247", by=ada)
    assert found(Filters(number="5551"), limit=limit) == [kept[1], kept[0]]
    assert found(Filters(number="1247"), limit=limit) == [kept[i] for i in (5, 4, 3, 1)]
    assert found(Filters(number="1247", created_by="eve"), limit=limit) == []
    assert found(Filters(number="1247", digit=9), limit=limit) == [kept[4]]


def test_an_undone_correction_finds_nothing_and_goes_with_its_prediction(
    keep: Keep, ada: User
) -> None:
    record = keep("1247")
    services.correct(record, verdict=Verdict.TEXT, text="555123", by=ada)
    services.undo_correction(record, by=ada)
    assert found(Filters(number="555")) == []
    services.correct(record, verdict=Verdict.TEXT, text="555123", by=ada)
    assert found(Filters(number="555")) == [record]
    services.delete(record.id, by=ada)
    assert not CorrectionTerm.objects.exists()


@pytest.mark.parametrize("most", [500, 2])
def test_finds_exactly_what_is_shown_as_corrected(
    keep: Keep, ada: User, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """By every condition, after any corrections, undoings and deletions."""
    # So few that pages end short, within what there is.
    for module in (search, sql_store, intersection):
        monkeypatch.setattr(module, "MAX_SCANNED", most)
    rng = random.Random(most)  # noqa: S311 - not for secrets
    kept = [
        keep(
            rng.choice(["12345", "1239", "77"]),
            at=NOON + timedelta(days=i * 9),  # over several months
            source=rng.choice([Source.API, Source.CANVAS]),
            status=rng.choice(list(Status)),
            created_by=rng.choice(["ada", "grace", None]),
        )
        for i in range(24)
    ]
    for record in rng.choices(kept, k=30):
        if rng.random() < 0.6:
            services.correct(record, verdict=Verdict.TEXT, text="1239", by=ada)
        elif corrections.history(record.id):
            with suppress(CorrectionRefused):
                services.undo_correction(record, by=ada)
    services.delete(kept.pop(7).id, by=ada)
    shown = corrections.current(record.id for record in kept)
    assert 3 < len(shown) < len(kept) - 3
    asked = [
        Filters(),
        Filters(number="123"),
        Filters(number="1239", source=Source.API),
        Filters(created_by="ada", status=Status.READ),
        Filters(digit=7),
        Filters(source=Source.CANVAS, model_version=0),
        Filters(since=kept[3].created_at, until=kept[15].created_at),
    ]
    for filters in asked:
        plain = replace(filters, number=None)
        for corrected in (True, False):
            right = [
                record
                for record in kept[::-1]
                if (record.id in shown) == corrected
                and plain.match(record)
                and (
                    filters.match(record)
                    or (corrected and terms_of_text("1239").issuperset(filters.terms))
                )
            ]
            assert found(filters, corrected=corrected) == right, (filters, corrected)


def test_a_correction_that_was_not_kept_leaves_no_result(
    keep: Keep, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without SQL's transactions keeps the mark: it leads to nothing."""
    record, other = keep("1"), keep("2")
    services.correct(other, verdict=Verdict.ILLEGIBLE, by=ada)
    with suppress(Error), transaction.atomic():
        services.correct(record, verdict=Verdict.ILLEGIBLE, by=ada)
        raise Error
    assert found(corrected=True) == [other]
    assert found(corrected=False) == [record]
    services.correct(record, verdict=Verdict.ILLEGIBLE, by=ada)
    assert len(found(corrected=True)) == 2


def test_what_is_corrected_is_found_without_looking_at_other_predictions(
    keep: Keep, ada: User
) -> None:
    """However many are newer: not one of them is read."""
    old = keep("5", at=NOON)
    for i in range(1, 30):
        keep("5", at=NOON + minutes(i))
    services.correct(old, verdict=Verdict.ILLEGIBLE, by=ada)
    for filters in (Filters(), Filters(source=old.source), Filters(digit=5)):
        assert search.latest(filters, corrected=True, limit=2) == Page([old], None)
