"""Restoring an archive into this site, whichever its store.

What is here already stays as it is, so that an interrupted restore is run again, and a second one
changes nothing. Each member is checked as a whole before anything of it is kept.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import IO, Any
from uuid import UUID

from django.db import transaction

from predictions.access.audit import Action, audit
from predictions.core.calendar import day_at
from predictions.core.ids import moment_of
from predictions.management.backup import accounts
from predictions.management.backup.archive import FIRST, FORMAT, ArchiveRefused, read_members
from predictions.management.backup.history import (
    Place,
    activation_rows,
    check_activation,
    check_correction,
    check_version,
    correction_rows,
    place_of,
    typed,
)
from predictions.management.backup.rows import pair_of, rows_in
from predictions.registry import archives
from predictions.registry.models import Activation, ModelVersion
from predictions.review import corrections, queue
from predictions.review.models import Correction
from predictions.statistics.daily_counts import invalidate_late_days, lock_days
from predictions.stores import get_store
from predictions.stores.interface import Pair


class Restore:
    """One run of `manage.py restore`; after `run`, `counts` says what was done.

    Parameters
    ----------
    file
        The archive.
    with_accounts
        Whether to add accounts, groups and tokens if the archive holds some.
    check_only
        Only check the archive.
    """

    def __init__(
        self, file: IO[bytes], *, with_accounts: bool = False, check_only: bool = False
    ) -> None:
        self.file = file
        self.with_accounts = with_accounts
        self.check_only = check_only
        self.counts = Counter[str]()  # by kind: read, and kept now as `new kind`
        self.manifest: dict[str, Any] = {}
        self.oldest: UUID | None = None  # of the predictions done
        self._version: dict[str, Any] | None = None  # whose networks follow
        self._left: UUID | None = None  # a prediction with other corrections here
        self._kinds: dict[str, Callable[[bytes], None]] = {
            FIRST: self._begin,
            "version": self._announce_version,
            "networks": self._restore_version,
            "activations": self._restore_activations,
            "groups": self._restore_groups,
            "users": self._restore_users,
            "names": self._restore_former_names,
            "predictions": self._restore_predictions,
            "corrections": self._restore_corrections,
        }

    def run(self) -> Iterator[int]:
        """Restore; yield the number of predictions done after each member.

        Raises
        ------
        ArchiveRefused
            If it cannot be read further, or does not fit this site.
        PredictionsError
            If the store does not answer, or a model version cannot run here.
        """
        for kind, content in read_members(self.file):
            if kind not in self._kinds:
                raise ArchiveRefused(f"The archive holds “{kind}”, which is unknown here.")
            self._kinds[kind](content)
            yield self.counts["predictions"]
        if self.check_only:
            return
        queue.rebuild()
        if new := {kind: n for kind, n in self.counts.items() if n and kind.startswith("new ")}:
            audit(Action.ADDED, by=None, target=f"backup of {self.manifest['made_at']}", **new)

    def _begin(self, content: bytes) -> None:
        (self.manifest,) = rows_in(content)
        if self.manifest.get("format") != FORMAT:
            raise ArchiveRefused("The archive was made by another version of this software.")
        if not isinstance(self.manifest.get("made_at"), str):
            raise ArchiveRefused("The archive is damaged: it does not say when it was made.")

    def _announce_version(self, content: bytes) -> None:
        (self._version,) = _checked(content, check_version)

    def _restore_version(self, content: bytes) -> None:
        told, self._version = self._version, None
        if told is None:
            raise ArchiveRefused("The archive is damaged: networks of no version.")
        self.counts["versions"] += 1
        number = told["number"]
        here = ModelVersion.objects.filter(number=number).values("sha256", "created_at").first()
        if here is not None:
            if here != {name: typed(told)[name] for name in here}:
                raise ArchiveRefused(
                    f"This site has another model version {number} than the archive, and "
                    "predictions name theirs by its number. Restore into a site without versions "
                    "of its own."
                )
            return
        version = archives.from_archive(io.BytesIO(content), f"model version {number}")
        if version.sha256 != told["sha256"]:
            raise ArchiveRefused(f"The archive is damaged: another network in version {number}.")
        version.number, version.created_by = number, told["created_by"]
        version.created_at = typed(told)["created_at"]
        if not told["reads_pages"]:
            version.page_reader = None
        if not self.check_only:
            version.save_base(raw=True, force_insert=True)  # otherwise `created_at` would be now
            self.counts["new versions"] += 1

    def _restore_activations(self, content: bytes) -> None:
        rows = [typed(row) for row in _checked(content, check_activation)]
        if self.check_only:
            return
        with transaction.atomic():
            here = activation_rows(Activation.objects.order_by("pk"))
            for row in rows:
                if place_of(row, here) is Place.NEXT and not self.counts["other activations"]:
                    values = {name: value for name, value in row.items() if name != "position"}
                    Activation(**values).save_base(raw=True, force_insert=True)
                    here.append(row)
                    self.counts["new activations"] += 1
                elif place_of(row, here) is not Place.HERE:
                    self.counts["other activations"] += 1
            if self.counts["new activations"]:
                ModelVersion.objects.filter(active=True).update(active=False)
                ModelVersion.objects.filter(number=here[-1]["number"]).update(active=True)

    def _restore_groups(self, content: bytes) -> None:
        for row in _checked(content, accounts.check_group):
            if self.with_accounts and not self.check_only:
                accounts.restore_group(row)

    def _restore_users(self, content: bytes) -> None:
        for row in _checked(content, accounts.check_user):
            self.counts["accounts"] += 1
            if self.with_accounts and not self.check_only:
                self.counts["new accounts"] += accounts.restore_user(row)

    def _restore_former_names(self, content: bytes) -> None:
        for row in _checked(content, accounts.check_former_name):
            if self.with_accounts and not self.check_only:
                accounts.restore_former_name(row)

    def _restore_predictions(self, content: bytes) -> None:
        pairs = {pair[0].id: pair for pair in map(pair_of, rows_in(content))}
        if not self.check_only:
            self._keep_predictions(pairs)
        self.counts["predictions"] += len(pairs)

    def _keep_predictions(self, pairs: Mapping[UUID, Pair]) -> None:
        here = get_store().get_many(pairs)
        new = [pair for prediction_id, pair in pairs.items() if prediction_id not in here]
        differing = sum(record != pairs[record.id][0] for record in here.values())
        invalidate_late_days(record.id for record, _picture in new)
        get_store().import_many(new)
        self.counts.update({"new predictions": len(new), "other predictions": differing})
        self.oldest = min(pairs, default=self.oldest)

    def _restore_corrections(self, content: bytes) -> None:
        rows = [typed(row) for row in _checked(content, check_correction)]
        self.counts["corrections"] += len(rows)
        if self.check_only:
            return
        ids = {row["prediction_id"] for row in rows}
        with transaction.atomic():
            lock_days({day_at(moment_of(prediction_id)) for prediction_id in ids})
            records = get_store().get_many(ids)  # others were deleted
            there = _corrections_of(records)
            for row in rows:
                if row["prediction_id"] in records:
                    self._restore_correction(row, there.setdefault(row["prediction_id"], []))
            current = corrections.current(records)
            queue.remove(current)
            get_store().mark_corrected(records[prediction_id] for prediction_id in current)
            for undone in records.keys() - current.keys():
                get_store().unmark_corrected(undone)

    def _restore_correction(self, row: dict[str, Any], there: list[Correction]) -> None:
        place = place_of(row, list(correction_rows(there)))
        if place is Place.HERE or row["prediction_id"] == self._left:
            return
        if place is Place.ELSEWHERE:
            self._left = row["prediction_id"]
            self.counts["other corrections"] += 1
            return
        values = {name: row[name] for name in row if name not in ("position", "undoes")}
        undone = None if row["undoes"] is None else there[row["undoes"]]
        there.append(Correction(**values, undoes=undone))
        corrections.add_again(there[-1])
        self.counts["new corrections"] += 1


def _checked(content: bytes, check_row: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    rows = list(rows_in(content))
    for row in rows:
        check_row(row)
    return rows


def _corrections_of(prediction_ids: Iterable[UUID]) -> dict[UUID, list[Correction]]:
    found = Correction.objects.filter(prediction_id__in=list(prediction_ids))
    in_order = found.order_by("prediction_id", "pk")
    return {key: list(some) for key, some in groupby(in_order, key=lambda c: c.prediction_id)}
