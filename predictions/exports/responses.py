"""Exports as streamed responses: a client has one at a time, and they hold up nobody else."""

from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from ml.files import isolation
from ml.files.places import Places
from predictions.core.errors import PredictionsError
from predictions.exports.files import CONTENT_TYPES, FILE_NAMES, Format
from predictions.web.responses import as_attachment

MAX_AT_ONCE, MAX_WAITING = 2, 8  # in each worker
MAX_WAIT_S = 5.0
PIECES = 50  # rows, for example; before each of so many, an export gives way to other requests
_places = Places(MAX_AT_ONCE, max_waiting=MAX_WAITING)


class ExportsBusy(PredictionsError):
    """Too many exports are being made at the moment, or one for the same client."""

    status = 503
    retry_after_s = 10

    def __init__(self) -> None:
        super().__init__(
            "busy", _("Another export is being made. Try again when it has been downloaded.")
        )


def export_response(pieces: Iterator[bytes], form: Format) -> StreamingHttpResponse:
    """Respond with an export.

    Raises
    ------
    ExportsBusy
        If too many others are being made.
    StoreUnavailable
        If the store does not answer: the first piece is read before the response starts.
    """
    in_turn = _in_turn(pieces)
    response = StreamingHttpResponse(
        _with_first(next(in_turn, b""), in_turn), content_type=CONTENT_TYPES[form]
    )
    return as_attachment(response, FILE_NAMES[form])


def _in_turn(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces, in a place for exports and a thread that does not count as busy."""
    with isolation.idle(), _places.one(isolation.client.get(), MAX_WAIT_S) as has_place:
        if not has_place:
            raise ExportsBusy
        for number, piece in enumerate(pieces):
            if number % PIECES == 0:
                isolation.give_way()
            yield piece


def _with_first(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield all pieces; to close this closes the rest, too."""
    yield first
    yield from rest
