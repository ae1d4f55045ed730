"""The query parameters of every list: digit, status, since, until, cursor, limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from uuid import UUID

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from predictions.core.errors import BadQuery
from predictions.core.records import Filters, Status
from predictions.web.cursors import read_cursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    """What a list was asked for."""

    filters: Filters
    cursor: UUID | None
    limit: int


def parse_list_query(query: Mapping[str, str], *, default_limit: int = DEFAULT_LIMIT) -> ListQuery:
    """Read a list's parameters; an empty one counts as left out.

    Raises
    ------
    BadQuery
        If one of them means nothing; the message names it.
    """
    cursor = query.get("cursor")
    return ListQuery(
        filters=Filters(
            digit=_integer(query, "digit", 0, 9),
            status=_status(query),
            since=_moment(query, "since"),
            until=_moment(query, "until"),
        ),
        cursor=read_cursor(cursor) if cursor else None,
        limit=_integer(query, "limit", 1, MAX_LIMIT) or default_limit,
    )


def _integer(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = query.get(name)
    if not text:
        return None
    # isdigit alone would let through digits that int() refuses, such as a superscript two, and
    # int() refuses thousands of digits.
    plain = text.isascii() and text.isdigit() and len(text) <= 4
    if not (plain and least <= int(text) <= most):
        raise BadQuery(
            _("“%(name)s” has to be a whole number from %(least)s to %(most)s.")
            % {"name": name, "least": least, "most": most}
        )
    return int(text)


def _status(query: Mapping[str, str]) -> Status | None:
    text = query.get("status")
    if not text:
        return None
    try:
        return Status(text)
    except ValueError as error:
        raise BadQuery(
            _("“status” has to be one of %(choices)s.") % {"choices": ", ".join(Status)}
        ) from error


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    """Read a date (its midnight) or a date and time, in UTC where it names no zone."""
    text = query.get(name)
    if not text:
        return None
    try:
        day = parse_date(text)
        # A plus in an address that nobody encoded arrives as a space: "…T14:00:00 02:00".
        moment = datetime.combine(day, time.min) if day else parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None:
        raise BadQuery(
            _(
                "“%(name)s” has to be a date, or a date and time, such as 2026-01-31 or "
                "2026-01-31T14:00:00Z."
            )
            % {"name": name}
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def parse_flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Read true or false."""
    text = query.get(name, "").lower()
    if not text:
        return default
    if text not in {"true", "false", "1", "0"}:
        raise BadQuery(_("“%(name)s” has to be true or false.") % {"name": name})
    return text in {"true", "1"}
