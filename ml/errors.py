"""Errors of `ml`; each message says what went wrong and what to do about it."""


class MLError(Exception):
    """Base class of all errors raised by `ml`."""


class PictureError(MLError):
    """A picture that cannot be read.

    Parameters
    ----------
    code
        A stable, machine-readable code: ``empty_file``, ``unsupported_format``, ``broken_file``,
        ``encrypted_file``, ``too_many_pixels``, ``too_many_pages``, ``too_complex`` or
        ``wrong_pixels``.
    message
        What was wrong and what to do, for the user.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DecodingBusy(MLError):
    """Too many files are being decoded at the moment; the same one can be read later."""


class ModelError(MLError):
    """A network that is missing, corrupt or of an unexpected shape."""


class DatasetError(MLError):
    """Unusable training data; the message names the file."""


class TrainingError(MLError):
    """A training run that cannot start or continue."""


class ComparisonError(MLError):
    """Two networks that cannot be compared."""


def broken_file(page: int | None = None) -> PictureError:
    """Return the error for a damaged file, or for its damaged page, counted from 0."""
    what = "This file" if page is None else f"Page {page + 1} of this file"
    return PictureError(
        "broken_file",
        f"{what} is damaged or truncated and cannot be read. Save it again and resend it.",
    )


def too_complex(page: int = 0) -> PictureError:
    """Return the error for a file whose next page, counted from 0, exceeds time or memory."""
    what = f"Page {page + 1} of this file" if page else "This file"
    return PictureError(
        "too_complex",
        f"{what} takes too much time or memory to decode. Send a photo or a scan of it instead, "
        "at a moderate size.",
    )


def too_many_pixels(subject: str, max_pixels: int) -> PictureError:
    """Return the error for an oversized picture; `subject` names it."""
    return PictureError(
        "too_many_pixels",
        f"{subject} is too large: the limit is {max_pixels:,} pixels (width x height). "
        "Scale it down or crop it to the digits.",
    )


def too_many_pages(found: str, max_pages: int) -> PictureError:
    """Return the error for a file with too many pages; `found` says how many it has."""
    return PictureError(
        "too_many_pages", f"{found}: at most {max_pages:,} are read at once. Split the file."
    )
