"""Search in Cassandra: the table of terms, a partition for each term and month."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from predictions.core.batches import batched
from predictions.core.ids import first_id_of_day, moment_of
from predictions.core.records import Filters, PredictionRecord
from predictions.core.terms import CORRECTED, terms_of_file_name, terms_of_text
from predictions.stores.cassandra.days import Days
from predictions.stores.cassandra.session import CassandraSession, Rows
from predictions.stores.cassandra.statements import Statements
from predictions.stores.intersection import MAX_SCANNED, NIL, Condition, end_of, intersect

MAX_MONTHS = 128  # per page, then it may be short
IDS_PER_READ = 200
# A dense term is found in the newest month, a rare one takes many: each read looks at more.
MONTHS_GROWTH = 4

Bounds = tuple[UUID, UUID]


def terms_of_filters(filters: Filters) -> list[str]:
    """Return the terms that a prediction must have; the other filters are in each term's row."""
    terms = filters.terms
    if filters.created_by is not None:
        terms.append(f"by:{filters.created_by}")
    if not terms and filters.model_version is not None:
        terms.append(f"version:{filters.model_version}")
    if not terms and filters.source is not None:
        terms.append(f"source:{filters.source}")
    return terms


def term_keys(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the primary keys of all terms of a prediction."""
    terms = terms_of_text(row["text"] or "") | terms_of_file_name(row["file_name"] or "")
    terms |= {f"version:{row['model_version']}", f"source:{row['source']}"}
    if row["created_by"] is not None:
        terms.add(f"by:{row['created_by']}")
    return [_key(term, row["id"]) for term in sorted(terms)]


def corrected_key(prediction_id: UUID) -> dict[str, Any]:
    """Return the primary key of the term of a corrected prediction."""
    return _key(CORRECTED, prediction_id)


class Search:
    """Writes and reads the table of terms."""

    def __init__(self, session: CassandraSession, statements: Statements, days: Days) -> None:
        self._session = session
        self._statements = statements
        self._days = days

    def statements_to_add(self, record: PredictionRecord) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the statements that write a prediction's terms."""
        facets = _facets(record)
        for key in term_keys(vars(record)):
            yield self._statements.add_term, key | facets

    def statement_to_mark(self, record: PredictionRecord) -> tuple[str, dict[str, Any]]:
        """Return the statement that writes the term of a corrected prediction."""
        return self._statements.add_term, corrected_key(record.id) | _facets(record)

    def corrected(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return which of some predictions are marked as corrected."""
        return self._having(CORRECTED, ids)

    def newest(
        self, terms: Sequence[str], filters: Filters, bounds: Bounds, limit: int
    ) -> tuple[list[UUID], UUID | None]:
        """Return the newest ids that match, and the cursor of the next page.

        Terms are intersected; digit, status, source and model version are in their rows.
        """
        months, complete = self._days.months(*bounds, MAX_MONTHS)
        end = NIL if complete else first_id_of_day(months[-1])
        scanned = MAX_SCANNED if len(terms) > 1 or _has_facets(filters) else limit + 1
        conditions = []
        for term in terms:
            rows = self._newest_of_term(term, months, bounds, scanned)
            reached = max(end, end_of([row["id"] for row in rows], scanned))
            ids = [row["id"] for row in rows if _matches(row, filters)]
            conditions.append(Condition(ids, reached, partial(self._having, term)))
        return intersect(conditions, limit)

    def _newest_of_term(
        self, term: str, months: Sequence[date], bounds: Bounds, limit: int
    ) -> Rows:
        rows: Rows = []
        first, size = 0, 1
        values = {"term": term, "least": bounds[0], "before": bounds[1], "n": limit}
        while first < len(months) and len(rows) < limit:
            rows += self._session.run_together(
                *(
                    (self._statements.newest_of_term, values | {"month": month})
                    for month in months[first : first + size]
                )
            )
            first, size = first + size, size * MONTHS_GROWTH
        return rows[:limit]

    def _having(self, term: str, ids: Sequence[UUID]) -> set[UUID]:
        by_month: dict[date, list[UUID]] = defaultdict(list)
        for prediction_id in ids:
            by_month[_month_of(prediction_id)].append(prediction_id)
        rows = self._session.run_together(
            *(
                (
                    self._statements.having_term,
                    {"term": term, "month": month, "ids": some, "n": len(some)},
                )
                for month, in_month in by_month.items()
                for some in batched(in_month, IDS_PER_READ)
            )
        )
        return {row["id"] for row in rows}


def _key(term: str, prediction_id: UUID) -> dict[str, Any]:
    return {"term": term, "month": _month_of(prediction_id), "id": prediction_id}


def _facets(record: PredictionRecord) -> dict[str, Any]:
    return {
        "digits": sum(1 << digit for digit in record.digit_set),
        "status": str(record.status),
        "source": str(record.source),
        "model_version": record.model_version,
    }


def _month_of(prediction_id: UUID) -> date:
    return moment_of(prediction_id).date().replace(day=1)


def _has_facets(filters: Filters) -> bool:
    names = ("digit", "status", "source", "model_version")
    return any(getattr(filters, name) is not None for name in names)


def _matches(row: Mapping[str, Any], filters: Filters) -> bool:
    return (
        (filters.digit is None or row["digits"] >> filters.digit & 1 == 1)
        and filters.status in (None, row["status"])
        and filters.source in (None, row["source"])
        and filters.model_version in (None, row["model_version"])
    )
