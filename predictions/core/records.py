"""What a store keeps: one prediction and, under the same id, its picture."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ml.digits import SIDE
from ml.reading.result import DigitReading
from predictions.core.ids import moment_of

GLYPH_BYTES = SIDE * SIDE


class Status(StrEnum):
    """How far a reading can be believed."""

    READ = "read"
    NEEDS_REVIEW = "needs_review"
    UNREADABLE = "unreadable"


class Source(StrEnum):
    """By which way a picture came in; `legacy` are the old routes `/upload` and `/predict`."""

    PAGE = "page"
    API = "api"
    CANVAS = "canvas"
    COMMAND = "command"
    LEGACY = "legacy"


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """One picture's reading. It never changes; corrections stand beside it.

    `confidence` and `margin` are the least of all digits (None where there is none); `text` holds
    a line of digits a line; boxes are in pixels of the upright picture. `upload` ties the pages of
    a file of several (`id_of_page` gives their ids), counted by `page` from 0.
    """

    id: UUID
    text: str
    digits: tuple[DigitReading, ...]
    confidence: float | None
    margin: float | None
    status: Status
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
    created_by: str | None = None

    @property
    def created_at(self) -> datetime:
        return moment_of(self.id)

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n") if self.text else []

    @property
    def digit_set(self) -> set[int]:
        """Which digits there are: told by the text, since of some the text is all that is known."""
        return {int(character) for character in self.text if character in string.digits}


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """What can be seen of a prediction: a small preview, and what the network saw.

    `preview` is a WebP (None where none is kept); `glyphs` holds one 28×28 picture of 784 bytes,
    ink bright, per digit.
    """

    id: UUID
    preview: bytes | None
    glyphs: bytes

    def glyph(self, position: int) -> npt.NDArray[np.uint8] | None:
        """Return what the network saw of the digit at `position`: uint8 (28, 28), or None."""
        cut = self.glyphs[position * GLYPH_BYTES : (position + 1) * GLYPH_BYTES]
        if position < 0 or len(cut) < GLYPH_BYTES:
            return None
        return np.frombuffer(cut, np.uint8).reshape(SIDE, SIDE)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which predictions a list holds; None leaves a filter out.

    Those that contain `digit`, have `status`, were made at `since` or later and before `until`.
    """

    digit: int | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RequestKey:
    """A client's Idempotency-Key: who sent it (`owner`), and the SHA-256 of what was sent."""

    owner: str
    key: str
    body_hash: bytes


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a store knows of a request's key.

    `id` is the prediction's, or the upload's, that the key stands for, `new` whether the key was
    unknown until now, `ours` whether the prediction is now ours to make, `done` whether it was
    made.
    """

    id: UUID
    body_hash: bytes
    new: bool
    ours: bool
    done: bool


@dataclass(frozen=True)
class Page:
    """A part of a list, newest first, and the id to go on from (None at the end)."""

    records: list[PredictionRecord]
    next: UUID | None

    def __iter__(self) -> Iterator[PredictionRecord]:
        return iter(self.records)
