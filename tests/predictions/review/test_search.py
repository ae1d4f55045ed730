"""What is known of corrections is searched with what a store finds, on both stores."""

import pytest
from django.contrib.auth.models import User

from predictions import services
from predictions.core.records import Filters, PredictionRecord, Status
from predictions.review import search
from predictions.review.corrections import Verdict
from predictions.review.models import CorrectionTerm
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


def test_selects_what_is_corrected_and_what_is_not(
    keep: Keep, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few that a list ends short of its page.
    monkeypatch.setattr(search, "PAGE_SIZE", 2)
    monkeypatch.setattr(search, "MAX_PAGES", 2)
    kept = [keep("12345", at=NOON + minutes(i)) for i in range(12)]
    for record in kept[::5]:
        services.correct(record, verdict=Verdict.ILLEGIBLE, by=ada)
    right = [record for record in kept[::-1] if record in kept[::5]]
    assert found(corrected=True) == right
    assert found(Filters(number="123"), corrected=True) == right
    assert found(Filters(status=Status.UNREADABLE), corrected=True) == []
    assert found(corrected=False) == [r for r in kept[::-1] if r not in right]
    assert found() == kept[::-1]
