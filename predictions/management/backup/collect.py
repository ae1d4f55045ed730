"""Writing an archive of this site while it serves.

Every prediction acknowledged before the start is in it, since lists promise that; none with a later
id is. Corrections come last, so later ones may be in it. What can be derived is not in it: search
terms, daily counts, the review queue.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import IO, Any
from uuid import UUID

import orjson

from predictions.core.batches import batched
from predictions.core.errors import VersionRefused
from predictions.core.records import PictureRecord, PredictionRecord
from predictions.management.backup import accounts, history
from predictions.management.backup.archive import ArchiveWriter, archive_to
from predictions.management.backup.rows import line_of
from predictions.registry import archives
from predictions.registry.models import Activation, ModelVersion
from predictions.review.models import Correction
from predictions.stores import get_store

ROWS = 100  # of a member
MAX_BYTES = 8_000_000  # of a member, but for its last row
IN_MEMORY = 32  # predictions with their pictures
NOTHING = (UUID(int=0), UUID(int=2**128 - 1))

Moved = tuple[UUID, UUID]


class Backup:
    """One run of `manage.py backup`.

    Parameters
    ----------
    file
        Where the archive is written.
    with_accounts
        Whether accounts, groups and tokens are in it.
    moved
        The newest and the oldest id of the predictions to leave out.
    """

    def __init__(
        self, file: IO[bytes], *, with_accounts: bool = False, moved: Moved = NOTHING
    ) -> None:
        self.file = file
        self.with_accounts = with_accounts
        self.moved = moved
        self.damaged_versions: list[int] = []

    def write(self) -> Iterator[int]:
        """Write the archive; yield the number of predictions in it after each member.

        Raises
        ------
        StoreUnavailable
            If the store does not answer; the archive then lacks its end.
        """
        newest = next(iter(get_store().latest(limit=1)), None)
        cut = None if newest is None else newest.id
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        with archive_to(self.file, made_at=made_at, newest=cut) as archive:
            self._add_versions(archive)
            if self.with_accounts:
                _add_rows(archive, "groups", accounts.group_rows())
                _add_rows(archive, "users", accounts.user_rows())
                _add_rows(archive, "names", accounts.former_name_rows())
            if cut is not None:
                done = 0
                for lines in _in_members(_prediction_lines(cut, self.moved)):
                    archive.add("predictions", b"".join(lines))
                    done += len(lines)
                    yield done
                _add_rows(archive, "corrections", _correction_rows(cut))

    def _add_versions(self, archive: ArchiveWriter) -> None:
        # Activations first: what was activated is never deleted.
        activations = history.activation_rows(Activation.objects.order_by("pk"))
        numbers = ModelVersion.objects.order_by("number").values_list("number", flat=True)
        for number in list(numbers):
            version = ModelVersion.objects.filter(number=number).first()
            if version is None:  # deleted meanwhile
                continue
            try:
                networks = archives.pack(version)
            except VersionRefused:
                self.damaged_versions.append(number)
                continue
            archive.add("version", orjson.dumps(history.version_row(version)))
            archive.add("networks", networks, "zip")
        _add_rows(archive, "activations", activations)


def _prediction_lines(newest: UUID, moved: Moved) -> Iterator[bytes]:
    store = get_store()
    for records in batched(_predictions(newest, moved), IN_MEMORY):
        pictures = store.pictures(record.id for record in records)
        for record in records:
            picture = pictures.get(record.id)
            if picture is None:
                if store.get(record.id) is None:  # deleted meanwhile
                    continue
                picture = PictureRecord(id=record.id, preview=None, glyphs=b"")
            yield line_of((record, picture))


def _predictions(newest: UUID, moved: Moved) -> Iterator[PredictionRecord]:
    """Yield the predictions up to the newest one, newest first, without those moved."""
    last_moved, first_moved = moved
    cursor = None
    while True:
        page = get_store().latest(cursor=cursor, limit=ROWS)
        for record in page:
            if record.id <= newest and not first_moved <= record.id <= last_moved:
                yield record
        if page.next is None:
            return
        cursor = first_moved if first_moved <= page.next <= last_moved else page.next


def _correction_rows(newest: UUID) -> Iterator[dict[str, Any]]:
    """Yield the corrections of each prediction, oldest first, with their places among them."""
    last = NOTHING[0]
    while True:
        before = last
        rows = Correction.objects.filter(prediction_id__gt=last, prediction_id__lte=newest)
        ids = rows.order_by("prediction_id").values_list("prediction_id", flat=True).distinct()
        found = Correction.objects.filter(prediction_id__in=list(ids[:ROWS]))
        in_order = found.order_by("prediction_id", "pk").iterator()
        for prediction_id, corrections in groupby(in_order, key=lambda each: each.prediction_id):
            last = prediction_id
            yield from history.correction_rows(corrections)
        if last == before:
            return


def _add_rows(archive: ArchiveWriter, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    for some in _in_members(lines):
        archive.add(kind, b"".join(some))


def _in_members(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield as many lines as go into a member."""
    some: list[bytes] = []
    for line in lines:
        some.append(line)
        if len(some) == ROWS or sum(map(len, some)) > MAX_BYTES:
            yield some
            some = []
    if some:
        yield some
