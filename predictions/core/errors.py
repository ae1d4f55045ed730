"""The errors of `predictions`, each with a code for programs and a message for people."""

import copyreg
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from ml.errors import PictureError, fill
from predictions.core.metrics import STORE_ERRORS

READ_ONLY = "25006"  # PostgreSQL's code
MAX_LOGGED = 500

log = structlog.get_logger(__name__)


class PredictionsError(Exception):
    """Base of every error that `predictions` raises on purpose."""

    status = 400
    retry_after_s: int | None = None

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if status is not None:
            self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle the state as it is, whatever arguments a subclass takes.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class UploadRefused(PredictionsError):
    """An upload that cannot be read; nothing of it was kept."""


def in_words(error: PictureError) -> str:
    """Return why a picture cannot be read, in the language of the request."""
    values = {
        name: value if isinstance(value, str) else number_format(value, force_grouping=True)
        for name, value in error.values.items()
    }
    return " ".join(fill(_(sentence), values) for sentence in error.sentences)


class DecodersBusy(UploadRefused):
    """An upload that can be read later: too many files are being decoded at the moment."""

    status = 503
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__(
            "busy", _("Too many large files are being read. Try again in a few seconds.")
        )


class TooCostly(UploadRefused):
    """A file of a request whose files before it took all that a request may cost."""

    status = 413

    def __init__(self) -> None:
        super().__init__(
            "too_costly",
            _(
                "The files before this one took so long to read that this one was not tried. "
                "Send it in another request."
            ),
        )


class CorrectionRefused(PredictionsError):
    """A correction that is invalid, or cannot be undone."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status=status)


class VersionRefused(PredictionsError):
    """A model version that cannot be added, or must not be activated; the active one stays."""

    status = 409


class BadQuery(PredictionsError):
    """An invalid filter, cursor or limit."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_query", message)


class NoPrediction(PredictionsError):
    """A prediction that is not there, or that the visitor may not see."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "not_found", _("There is no prediction with this id. It may have been deleted.")
        )


class NoPreview(PredictionsError):
    """A prediction whose picture was not kept."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "not_found",
            _("No preview was kept of this picture, so how it was read cannot be shown."),
        )


def is_outage(error: BaseException) -> bool:
    """Return whether a database error means an outage rather than a wrong query.

    SQLite reports a damaged file by the base class, PostgreSQL a read-only database (as a standby
    is) as an internal error.
    """
    return isinstance(error, OperationalError | InterfaceError) or (
        type(error) is DatabaseError or getattr(error.__cause__, "sqlstate", "") == READ_ONLY
    )


class StoreUnavailable(PredictionsError):
    """The prediction store does not answer in time; nothing is claimed to be kept.

    `nothing_kept` says whether it is known that a write left nothing behind.
    """

    status = 503
    retry_after_s = 5

    def __init__(self, *, nothing_kept: bool = False) -> None:
        self.nothing_kept = nothing_kept
        super().__init__(
            "store_unavailable",
            _(
                "The place where predictions are kept does not answer at the moment, so "
                "nothing was stored. Try again in a few seconds."
            ),
        )


class AlreadyKept(PredictionsError):
    """A prediction of this id is kept already, and stays as it is; of the others none was added."""

    status = 409

    def __init__(self) -> None:
        super().__init__("already_kept", _("A prediction with this id is kept already."))


def store_outage(cause: BaseException | None = None) -> StoreUnavailable:
    """Count that a database did not answer, log why, and return the error to raise.

    For where an outage is met; whoever passes the error on does not count it again.
    """
    STORE_ERRORS.inc()
    if cause is not None:
        log.warning("database", error=f"{type(cause).__name__}: {cause}"[:MAX_LOGGED])
    return StoreUnavailable()
