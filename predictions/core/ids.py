"""UUIDv7 ids (RFC 9562) as functions of time: an id tells its own millisecond, day and order."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import uuid_utils.compat as uuid_utils

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last that Python can tell as a time, in the year 9999.
LAST_MILLISECOND = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
# What a UUIDv7 holds beside the time, its version and its variant (RFC 9562).
RANDOM_BITS = 0xFFF << 64 | ((1 << 62) - 1)
MAX_PAGES = 100  # that an upload can ever have


def new_id() -> UUID:
    """Make a UUIDv7: it sorts by time and tells its own millisecond (RFC 9562)."""
    return uuid_utils.uuid7()


def moment_of(prediction_id: UUID) -> datetime:
    """Tell when a prediction's id was made, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=prediction_id.int >> 80)


def first_id_at(moment: datetime) -> UUID:
    """Give the least id that a prediction made at `moment` or later can have.

    It is a UUIDv7 itself, with every random bit 0: Cassandra orders UUIDs by version first.
    """
    milliseconds = -((EPOCH - moment) // timedelta(milliseconds=1))  # rounded up
    milliseconds = min(max(milliseconds, 0), LAST_MILLISECOND)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)


def id_of(moment: datetime, name: bytes) -> UUID:
    """Make the UUIDv7 of something that has a time and a name: the same one every time."""
    milliseconds = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    rest = int.from_bytes(hashlib.sha256(name).digest()[:10])
    return UUID(int=first_id_at(milliseconds).int | rest & RANDOM_BITS)


def id_of_page(upload_id: UUID, page: int) -> UUID:
    """Give the id of an upload's page: the first has the upload's own, the others follow it."""
    return UUID(int=upload_id.int + page)


def day_of(prediction_id: UUID) -> date | None:
    """Tell the UTC day of an id; None of an id that no prediction can have."""
    if prediction_id.version != 7 or prediction_id.int >> 80 > LAST_MILLISECOND:
        return None
    return moment_of(prediction_id).date()


def first_id_of_day(day: date) -> UUID:
    """Give the least id that a prediction made on that UTC day can have."""
    return first_id_at(datetime.combine(day, time.min, UTC))
