"""The interface of every store; tests/predictions/stores/test_contract.py holds its promises."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from predictions.core.ids import MAX_PAGES, id_of_page
from predictions.core.records import (
    Claim,
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


class PredictionStore(ABC):
    """Keeps predictions and their pictures. Nothing that it keeps is ever changed.

    Every method raises `predictions.core.errors.StoreUnavailable` when its database is down.
    """

    def add(self, record: PredictionRecord, picture: PictureRecord) -> None:
        """Keep a prediction and its picture (of the same id), both or neither.

        When this returns, both are kept.
        """
        self.add_many([(record, picture)])

    @abstractmethod
    def add_many(self, pairs: Iterable[Pair]) -> None:
        """Keep many predictions, each with its picture, faster than one after the other.

        When this returns, all are kept. When it raises, some may be: each with its picture.
        """

    def add_upload(self, pairs: Sequence[Pair]) -> None:
        """Keep the predictions of an upload's pages, in the order of its pages.

        When this returns, all are kept. When it raises, the first is not known to be kept, and
        others may be where the database has no transactions: the first is written last, so where
        it is, all are.
        """
        self.add_many(pairs[1:])
        self.add(*pairs[0])

    def get_upload(self, upload_id: UUID) -> list[PredictionRecord]:
        """Return an upload's predictions in the order of its pages; one, where it has one page.

        Those that were deleted since are left out.
        """
        first = self.get(upload_id)
        if first is not None and first.upload is None:
            return [first]
        found = self.get_many(id_of_page(upload_id, page) for page in range(MAX_PAGES))
        pages = [record for record in found.values() if record.upload == upload_id]
        return sorted(pages, key=lambda record: record.page)

    @abstractmethod
    def get(self, prediction_id: UUID) -> PredictionRecord | None:
        """Return one prediction, or None where there is none."""

    @abstractmethod
    def get_many(self, prediction_ids: Iterable[UUID]) -> dict[UUID, PredictionRecord]:
        """Return those of the predictions asked for that exist, by id."""

    @abstractmethod
    def picture(self, prediction_id: UUID) -> PictureRecord | None:
        """Return a prediction's picture, or None where there is none."""

    @abstractmethod
    def glyphs(self, prediction_ids: Iterable[UUID]) -> dict[UUID, bytes]:
        """Return what the network saw of those that exist, by id: 784 bytes a digit."""

    @abstractmethod
    def latest(
        self, filters: Filters = EVERYTHING, *, cursor: UUID | None = None, limit: int = 50
    ) -> Page:
        """Return predictions, newest first, from behind `cursor` on.

        Every prediction kept before the first page was asked for comes exactly once; what arrives
        later may come on top. A page may be short of `limit` and still have a next one.

        Parameters
        ----------
        filters
            Which predictions to list.
        cursor
            The `next` of the page before; None for the first page.
        limit
            The most predictions a page holds, at least 1.
        """

    @abstractmethod
    def delete(self, prediction_id: UUID) -> bool:
        """Delete a prediction and its picture; tell whether it was there."""

    @abstractmethod
    def claim(self, request_key: RequestKey, prediction_id: UUID, *, lease_s: float) -> Claim:
        """Claim a client's key for a prediction to come; of several that try, one succeeds.

        Keys are forgotten a day after they came.

        Parameters
        ----------
        request_key
            Who sends what under which key.
        prediction_id
            The id to keep under it, should the key be unknown.
        lease_s
            How many seconds the claim holds. One that has lapsed, of a request that was never
            settled, is taken over by who asks with the same body, together with its id.
        """

    @abstractmethod
    def settle(self, request_key: RequestKey) -> None:
        """Note that the prediction under a key was made."""

    @abstractmethod
    def release(self, request_key: RequestKey) -> None:
        """Give up a claim of a prediction that will not be made."""

    @abstractmethod
    def ping(self) -> None:
        """Ask the database for a sign of life, and raise StoreUnavailable without one."""

    def export(self, filters: Filters = EVERYTHING) -> Iterator[PredictionRecord]:
        """Return every prediction that the filters let through, newest first, page by page."""
        cursor = None
        while True:
            page = self.latest(filters, cursor=cursor, limit=EXPORT_PAGE)
            yield from page
            if page.next is None:
                return
            cursor = page.next
