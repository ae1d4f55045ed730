"""The interface of every store; tests/predictions/stores/test_contract.py holds its promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from predictions.core.ids import MAX_PAGES, id_of_page
from predictions.core.records import (
    Claim,
    Event,
    Filters,
    Page,
    PictureRecord,
    PredictionRecord,
    RequestKey,
)

Pair = tuple[PredictionRecord, PictureRecord]

EVERYTHING = Filters()
EXPORT_PAGE = 500
KEYS_KEPT_S = 86_400
MAX_PER_BATCH = 10_000  # predictions
EVENTS_KEPT_S = 7 * 86_400


class PredictionStore(ABC):
    """Keeps predictions and their pictures, which never change.

    Every method raises `predictions.core.errors.StoreUnavailable` when its database is down. The
    integers of what is kept are at most `predictions.core.records.MAX_INT`.
    """

    @property
    @abstractmethod
    def has_outbox(self) -> bool:
        """Whether events go into an outbox of its own, which `events` reads.

        Else they go into the one in SQL (`predictions.stores.sql.models.OutboxEvent`).
        """

    def add(self, record: PredictionRecord, picture: PictureRecord) -> None:
        """Keep a prediction and its picture (of the same id), both or neither."""
        self.add_many([(record, picture)])

    @abstractmethod
    def add_many(self, pairs: Iterable[Pair], events: Iterable[Event] = ()) -> None:
        """Keep many predictions, each with its picture, and put events into the outbox.

        When this returns, all are kept. If it raises, some may be kept, each with its picture.
        Whoever adds an id again adds the same reading of the same picture: a store writes it anew,
        or refuses it.

        Raises
        ------
        AlreadyKept
            If one of the ids exists and the store can tell; then nothing is added.
        """

    def import_many(self, pairs: Sequence[Pair]) -> None:
        """Keep predictions from elsewhere that do not exist yet.

        However it is interrupted, a prediction that exists afterwards lacks nothing.
        """
        self.add_many(pairs)

    def add_upload(self, pairs: Sequence[Pair], events: Sequence[Event] = ()) -> None:
        """Keep the predictions of an upload, in page order, and put events into the outbox.

        When this returns, all are kept. Without transactions some may be kept if it raises, until
        they are discarded; the first page is written last, so if it is there, all are, events
        included.
        """
        self.add_many(pairs[1:], events)
        self.add(*pairs[0])

    def get_upload(self, upload_id: UUID) -> list[PredictionRecord]:
        """Return an upload's predictions in page order, without deleted ones."""
        first = self.get(upload_id)
        if first is not None and first.upload is None:
            return [first]
        found = self.get_many(id_of_page(upload_id, page) for page in range(MAX_PAGES))
        pages = [record for record in found.values() if record.upload == upload_id]
        return sorted(pages, key=lambda record: record.page)

    @abstractmethod
    def ids_in_batch(self, batch_id: UUID) -> list[UUID]:
        """Return the ids of a batch's predictions, in the order of its files and of their pages.

        They are the first `MAX_PER_BATCH`.
        """

    def events(self, since: datetime, until: datetime) -> Iterator[Event]:
        """Yield the events put into the store's own outbox in [since, until); kept for a week."""
        return iter(())

    @abstractmethod
    def get(self, prediction_id: UUID) -> PredictionRecord | None:
        """Return one prediction, or None if it does not exist."""

    @abstractmethod
    def get_many(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PredictionRecord]:
        """Return the predictions that exist, by id."""

    def picture(self, prediction_id: UUID) -> PictureRecord | None:
        """Return a prediction's picture, or None if it does not exist."""
        return self.pictures([prediction_id]).get(prediction_id)

    @abstractmethod
    def pictures(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PictureRecord]:
        """Return the pictures of the predictions that exist, by id."""

    @abstractmethod
    def glyphs(self, prediction_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return the glyphs of the predictions that exist, by id: 784 bytes per digit."""

    @abstractmethod
    def latest(
        self, filters: Filters = EVERYTHING, *, cursor: UUID | None = None, limit: int = 50
    ) -> Page:
        """Return a page of predictions, newest first, older than `cursor`.

        Every prediction kept before the first page was read comes exactly once; newer ones may be
        missing. A page may be shorter than `limit` and still have a next one.

        Parameters
        ----------
        filters
            Selects the predictions.
        cursor
            The `next` of the previous page; None for the first page.
        limit
            The maximum length of a page, at least 1.
        """

    @abstractmethod
    def mark_corrected(self, records: Iterable[PredictionRecord]) -> None:
        """Have a search for corrected predictions find these; they stay as they are."""

    @abstractmethod
    def unmark_corrected(self, prediction_id: UUID) -> None:
        """Undo `mark_corrected`."""

    @abstractmethod
    def delete(self, prediction_id: UUID) -> bool:
        """Delete a prediction and its picture; return whether it existed."""

    @abstractmethod
    def discard(self, prediction_ids: Iterable[UUID]) -> None:
        """Delete predictions of which a failed write may have kept some, or may yet keep some.

        Unlike `delete`, it does not look whether they can be found.
        """

    @abstractmethod
    def claim(self, request_key: RequestKey, prediction_id: UUID, *, lease_s: float) -> Claim:
        """Claim a client's key for a new prediction; of concurrent claims, one succeeds.

        Keys expire after a day.

        Parameters
        ----------
        request_key
            The client, its key and the hash of the body.
        prediction_id
            The id to reserve if the key is new.
        lease_s
            How long the claim holds, in seconds. An expired claim that was never settled is taken
            over, with its id, by a request with the same body.
        """

    @abstractmethod
    def read_claim(self, request_key: RequestKey) -> Claim | None:
        """Return the state of a key without claiming it, or None if it is free."""

    @abstractmethod
    def renew(self, request_key: RequestKey, *, lease_s: float) -> None:
        """Have a claim that was not settled hold for `lease_s` seconds from now."""

    @abstractmethod
    def settle(self, request_key: RequestKey) -> None:
        """Record that the prediction of a key was made."""

    @abstractmethod
    def release(self, request_key: RequestKey) -> None:
        """Give up a claim."""

    @abstractmethod
    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers and takes writes."""

    def lacks_tables(self) -> bool:
        """Return whether tables or columns are missing that no migration of SQL makes.

        It may say so without asking the database, also while that is down.
        """
        return False

    def export(self, filters: Filters = EVERYTHING) -> Iterator[PredictionRecord]:
        """Yield every matching prediction, newest first, reading page by page."""
        cursor = None
        while True:
            page = self.latest(filters, cursor=cursor, limit=EXPORT_PAGE)
            yield from page
            if page.next is None:
                return
            cursor = page.next
