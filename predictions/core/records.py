"""What a store keeps and returns: predictions, their pictures, filters and claims."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ml.digits import SIDE
from ml.reading.result import DigitReading, MarkReading
from predictions.core.ids import first_id_at, moment_of
from predictions.core.terms import CORRECTED, terms_of_file_name, terms_of_text, terms_sought

GLYPH_BYTES = SIDE * SIDE
MAX_INT = 2**31 - 1  # what every store's integers hold


class Status(StrEnum):
    """How reliable a reading is."""

    READ = "read"
    NEEDS_REVIEW = "needs_review"
    UNREADABLE = "unreadable"


class ReviewReason(StrEnum):
    """Why a prediction needs review.

    `unsure`: its confidence is below `REVIEW_BELOW_CONFIDENCE`. `incomplete`: more stands on the
    page than is read of one. `not_read`: the pages before it took all that is spent on a file.
    """

    UNSURE = "unsure"
    INCOMPLETE = "incomplete"
    NOT_READ = "not_read"


class Source(StrEnum):
    """Where an upload came from; `legacy` means the old routes `/upload` and `/predict`."""

    PAGE = "page"
    API = "api"
    CANVAS = "canvas"
    COMMAND = "command"
    LEGACY = "legacy"


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """The reading of one picture. It never changes; corrections are kept separately.

    `confidence` is the calibrated probability that the whole text is right, `margin` the minimum
    over all digits; both are None without digits. `marked_text` is the text with its marks, or the
    text itself without any. Boxes are in pixels of the upright picture. `upload` is shared by the
    pages of a file with several (`id_of_page` derives their ids); `page` counts from 0. Files that
    were sent together share a `batch_id`, in which `position` is the file's place, from 0.
    `review_reason` is None unless the status is `needs_review`, and else `unsure` where none is
    named. Marks stand beside digits: a ValueError says that one does not.
    """

    id: UUID
    text: str
    marked_text: str
    digits: tuple[DigitReading, ...]
    marks: tuple[MarkReading, ...]
    confidence: float | None
    margin: float | None
    status: Status
    review_reason: ReviewReason | None = None
    model_version: int
    source: Source
    file_name: str
    file_size: int  # bytes
    width: int  # pixels
    height: int  # pixels
    duration_ms: float
    has_preview: bool
    upload: UUID | None = None
    page: int = 0
    batch_id: UUID | None = None
    position: int = 0
    created_by: str | None = None

    def __post_init__(self) -> None:
        needs_review = self.status == Status.NEEDS_REVIEW
        reason = (self.review_reason or ReviewReason.UNSURE) if needs_review else None
        object.__setattr__(self, "review_reason", reason)
        count = len(self.digits)
        for mark in self.marks:  # pages look up the digit that it follows
            if count == 0 or not (mark.after is None or 0 <= mark.after < count):
                raise ValueError(f"a mark stands beside a digit that is not there: {mark.after}")

    @property
    def created_at(self) -> datetime:
        return moment_of(self.id)

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n") if self.text else []

    @property
    def digit_set(self) -> set[int]:
        """The distinct digits of the text: imported predictions have nothing but a text."""
        return {int(character) for character in self.text if character in string.digits}

    @property
    def terms(self) -> set[str]:
        """What the prediction is found by, beside its columns."""
        return terms_of_text(self.text) | terms_of_file_name(self.file_name)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that webhooks report.

    `id` is a UUIDv7 that stays the same however often the event is sent; `body` is the JSON that is
    sent. An event about a new prediction holds only if `kept_with` exists: the prediction of the
    same upload that is written last.
    """

    id: UUID
    type: str
    body: str
    prediction_id: UUID | None = None
    kept_with: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """The preview of a prediction and its glyphs.

    `preview` is a WebP, or None if none was kept; `glyphs` holds 784 bytes per digit: 28×28, ink
    bright.
    """

    id: UUID
    preview: bytes | None
    glyphs: bytes

    def glyph(self, position: int) -> npt.NDArray[np.uint8] | None:
        """Return the glyph of the digit at `position`, uint8 (28, 28), or None."""
        cut = self.glyphs[position * GLYPH_BYTES : (position + 1) * GLYPH_BYTES]
        if position < 0 or len(cut) < GLYPH_BYTES:
            return None
        return np.frombuffer(cut, np.uint8).reshape(SIDE, SIDE)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Selects predictions that match all filters and were made in [since, until).

    None leaves a filter out. `number` holds one or several; a prediction must contain each, whole
    or as the beginning of a longer one. `file_name` is matched by its words.
    `predictions/core/terms.py` says how. `corrected` selects those marked as such in the store.
    """

    digit: int | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    number: str | None = None
    file_name: str | None = None
    created_by: str | None = None
    source: Source | None = None
    model_version: int | None = None
    corrected: bool = False

    @property
    def terms(self) -> list[str]:
        marks = [CORRECTED] if self.corrected else []
        return marks + terms_sought(number=self.number, file_name=self.file_name)

    def match(self, record: PredictionRecord) -> bool:
        """Return whether a prediction matches, as the stores decide it.

        A record does not tell whether it is corrected, so leave that out.
        """
        return (
            (self.digit is None or self.digit in record.digit_set)
            and (self.since is None or record.id >= first_id_at(self.since))
            and (self.until is None or record.id < first_id_at(self.until))
            and all(
                getattr(self, name) in (None, getattr(record, name))
                for name in ("status", "created_by", "source", "model_version")
            )
            and record.terms.issuperset(self.terms)
        )


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """A client's Idempotency-Key with its owner and the SHA-256 of the request's body."""

    owner: str
    key: str
    body_hash: bytes


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The state of an idempotency key.

    `id` is the reserved id of the prediction or upload, `new` whether the key was unknown, `ours`
    whether the caller holds the claim, `done` whether the prediction was made, `lapsed` whether
    the claim of somebody else may be taken over.
    """

    id: UUID
    body_hash: bytes
    new: bool
    ours: bool
    done: bool
    lapsed: bool = False


@dataclass(frozen=True)
class Page:
    """Part of a list, newest first, and the cursor of the next page (None at the end)."""

    records: list[PredictionRecord]
    next: UUID | None

    def __iter__(self) -> Iterator[PredictionRecord]:
        return iter(self.records)
