"""Searching predictions: what a store finds, and what is known of corrections.

A corrected prediction is found by the number that was read, and by the one it was corrected to.
Corrections are in SQL on either store.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from predictions.core.records import Filters, Page, PredictionRecord
from predictions.core.terms import terms_of_text
from predictions.review import corrections
from predictions.review.models import Correction, CorrectionTerm
from predictions.stores import get_store
from predictions.stores.interface import EXPORT_PAGE
from predictions.stores.intersection import NIL, end_of

# A list by corrections looks at a bounded number of predictions, and may be short.
PAGE_SIZE = 200
MAX_PAGES = 5


def latest(
    filters: Filters, *, corrected: bool | None = None, cursor: UUID | None = None, limit: int = 50
) -> Page:
    """Return a page of matching predictions, newest first, as `PredictionStore.latest` does.

    `corrected` selects those with a current correction, or those without; None all.
    """
    if corrected is None:
        return _found(filters, cursor, limit)
    if corrected and not filters.terms:
        return _scan(lambda after: _corrected(filters, after), list, cursor, limit)

    def keep(records: Sequence[PredictionRecord]) -> list[PredictionRecord]:
        current = corrections.current(record.id for record in records)
        return [record for record in records if (record.id in current) == corrected]

    return _scan(lambda after: _found(filters, after, PAGE_SIZE), keep, cursor, limit)


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
    others = replace(filters, number=None)
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


def _corrected(filters: Filters, cursor: UUID | None) -> Page:
    """Return the matching ones of the next predictions with a correction."""
    standing = Correction.objects.filter(undoes__isnull=True, undone_by__isnull=True)
    if cursor is not None:
        standing = standing.filter(prediction_id__lt=cursor)
    newest_first = standing.order_by("-prediction_id").values_list("prediction_id", flat=True)
    ids = list(dict.fromkeys(newest_first[:PAGE_SIZE]))
    records = get_store().get_many(ids)
    found = [records[i] for i in ids if i in records and filters.match(records[i])]
    return Page(found, ids[-1] if ids else None)


def _scan(
    read: Callable[[UUID | None], Page],
    keep: Callable[[Sequence[PredictionRecord]], list[PredictionRecord]],
    cursor: UUID | None,
    limit: int,
) -> Page:
    """Read pages until enough of them was kept, or too many were read."""
    kept: list[PredictionRecord] = []
    for _ in range(MAX_PAGES):
        page = read(cursor)
        for record in keep(page.records):
            kept.append(record)
            if len(kept) == limit:
                return Page(kept, record.id)
        cursor = page.next
        if cursor is None:
            break
    return Page(kept, cursor)
