"""UUIDv7 ids (RFC 9562) as functions of time: an id tells its own millisecond, day and order."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import uuid_utils.compat as uuid_utils

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last millisecond of a Python datetime, in the year 9999.
LAST_MILLISECOND = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
# The bits of a UUIDv7 beside time, version and variant.
RANDOM_BITS = 0xFFF << 64 | ((1 << 62) - 1)
MAX_PAGES = 100  # per upload, whatever the settings


def new_id() -> UUID:
    """Return a new UUIDv7."""
    return uuid_utils.uuid7()


def moment_of(prediction_id: UUID) -> datetime:
    """Return when an id was made, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=prediction_id.int >> 80)


def first_id_at(moment: datetime) -> UUID:
    """Return the least id of a prediction made at `moment` or later.

    It is a UUIDv7 with all random bits 0, since Cassandra orders UUIDs by version first.
    """
    milliseconds = -((EPOCH - moment) // timedelta(milliseconds=1))  # rounded up
    milliseconds = min(max(milliseconds, 0), LAST_MILLISECOND)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62)


def id_of(moment: datetime, name: bytes) -> UUID:
    """Return the UUIDv7 derived from a time and a name, always the same one."""
    milliseconds = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    rest = int.from_bytes(hashlib.sha256(name).digest()[:10])
    return UUID(int=first_id_at(milliseconds).int | rest & RANDOM_BITS)


def id_of_page(upload_id: UUID, page: int) -> UUID:
    """Return the id of a page: the upload's own for the first, then counting up."""
    return UUID(int=upload_id.int + page)


def day_of(prediction_id: UUID) -> date | None:
    """Return the UTC day of an id; None if no prediction can have that id."""
    if prediction_id.version != 7 or prediction_id.int >> 80 > LAST_MILLISECOND:
        return None
    return moment_of(prediction_id).date()


def first_id_of_day(day: date) -> UUID:
    """Return the least id of a prediction made on that UTC day."""
    return first_id_at(datetime.combine(day, time.min, UTC))
