"""Searching predictions: what a store finds, and what is known of corrections.

A corrected prediction is found by the number that was read, and by the one it was corrected to.
Corrections are in SQL on either store, which also marks the corrected predictions in its index.
"""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from predictions.core.records import Filters, Page, PredictionRecord
from predictions.core.terms import terms_of_text
from predictions.review import corrections
from predictions.review.models import CorrectionTerm
from predictions.stores import get_store
from predictions.stores.interface import EXPORT_PAGE
from predictions.stores.intersection import MAX_SCANNED, NIL, end_of


def latest(
    filters: Filters, *, corrected: bool | None = None, cursor: UUID | None = None, limit: int = 50
) -> Page:
    """Return a page of matching predictions, newest first, as `PredictionStore.latest` does.

    `corrected` selects those with a current correction, or those without; None all.
    """
    if corrected is None:
        return _found(filters, cursor, limit)
    if corrected:
        page = _found(replace(filters, corrected=True), cursor, limit)
        # A mark may be there without its correction: a store need not share SQL's transactions.
        return Page(_of(page, corrected=True), page.next)
    return _uncorrected(filters, cursor, limit)


def export(filters: Filters, *, corrected: bool | None = None) -> Iterator[PredictionRecord]:
    """Yield every matching prediction, newest first, reading page by page."""
    cursor = None
    while True:
        page = latest(filters, corrected=corrected, cursor=cursor, limit=EXPORT_PAGE)
        yield from page
        if page.next is None:
            return
        cursor = page.next


def _found(filters: Filters, cursor: UUID | None, limit: int) -> Page:
    """Merge what the store finds with what was corrected to the number."""
    page = get_store().latest(filters, cursor=cursor, limit=limit)
    if filters.number is None:
        return page
    others, end = _corrected_to_number(filters, cursor, limit + 1)
    end = max(end, page.next or NIL)
    merged = {record.id: record for record in (*page.records, *others) if record.id >= end}
    newest = [merged[prediction_id] for prediction_id in sorted(merged, reverse=True)[:limit]]
    if len(merged) > limit:
        return Page(newest, newest[-1].id)
    return Page(newest, end if end != NIL else None)


def _corrected_to_number(
    filters: Filters, cursor: UUID | None, limit: int
) -> tuple[list[PredictionRecord], UUID]:
    """Return what was corrected to the number, complete down to the id beside it."""
    others = replace(filters, number=None, corrected=False)  # all of them are
    wanted = replace(Filters(), number=filters.number).terms
    rows = CorrectionTerm.objects.filter(term=wanted[0])
    if cursor is not None:
        rows = rows.filter(prediction_id__lt=cursor)
    newest_first = rows.order_by("-prediction_id").values_list("prediction_id", flat=True)
    ids = list(newest_first[:limit])
    if not ids:
        return [], NIL
    current = {
        prediction_id
        for prediction_id, correction in corrections.current(ids).items()
        if terms_of_text(correction.text).issuperset(wanted)
    }
    records = get_store().get_many(current).values()
    return [record for record in records if others.match(record)], end_of(ids, limit)


def _uncorrected(filters: Filters, cursor: UUID | None, limit: int) -> Page:
    """Leave out what is corrected, and read on in its place, as far as an intersection looks."""
    kept: list[PredictionRecord] = []
    looked_at, share = 0, 1
    while True:
        # Mostly few are missing after the first round; the more rounds it takes, the more it asks.
        wanted = min(limit, share * (limit - len(kept)))
        page = _found(filters, cursor, wanted)
        kept += _of(page, corrected=False)
        if len(kept) >= limit:
            kept = kept[:limit]
            return Page(kept, kept[-1].id)
        cursor = page.next
        looked_at, share = looked_at + wanted, share * 2
        if cursor is None or looked_at >= MAX_SCANNED:
            return Page(kept, cursor)


def _of(page: Page, *, corrected: bool) -> list[PredictionRecord]:
    current = corrections.current(record.id for record in page.records)
    return [record for record in page.records if (record.id in current) == corrected]
