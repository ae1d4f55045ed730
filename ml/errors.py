"""Errors of `ml`; each message says what went wrong and what to do about it."""

from collections.abc import Mapping

Value = int | str


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for translation, which is up to who shows it: `ml` speaks English.

    Parameters
    ----------
    sentence
        With ``%(name)s`` for each value.

    Returns
    -------
    str
        The same.
    """
    return sentence


def fill(sentence: str, values: Mapping[str, Value]) -> str:
    """Put values into a sentence, with commas in large numbers.

    Parameters
    ----------
    sentence
        With ``%(name)s`` for each value. Not trusted: it may come from a process that decodes.
    values
        By name.

    Returns
    -------
    str
        The sentence as it is read.
    """
    for name, value in values.items():
        shown = value if isinstance(value, str) else f"{value:,}"
        sentence = sentence.replace(f"%({name})s", shown)
    return sentence


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
    *sentences
        What was wrong and what to do, for the user, each marked by `gettext_noop`.
    **values
        What the sentences name.
    """

    def __init__(self, code: str, *sentences: str, **values: Value) -> None:
        self.code = code
        self.sentences = sentences
        self.values = values
        self.message = " ".join(fill(sentence, values) for sentence in sentences)
        super().__init__(self.message)


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
    again = gettext_noop("Save it again and resend it.")
    if page is None:
        return PictureError(
            "broken_file",
            gettext_noop("This file is damaged or truncated and cannot be read."),
            again,
        )
    return PictureError(
        "broken_file",
        gettext_noop("Page %(page)s of this file is damaged or truncated and cannot be read."),
        again,
        page=page + 1,
    )


def too_complex(page: int = 0) -> PictureError:
    """Return the error for a file whose next page, counted from 0, exceeds time or memory."""
    instead = gettext_noop("Send a photo or a scan of it instead, at a moderate size.")
    if not page:
        return PictureError(
            "too_complex",
            gettext_noop("This file takes too much time or memory to decode."),
            instead,
        )
    return PictureError(
        "too_complex",
        gettext_noop("Page %(page)s of this file takes too much time or memory to decode."),
        instead,
        page=page + 1,
    )


def too_many_pixels(problem: str, max_pixels: int, **values: Value) -> PictureError:
    """Return the error for an oversized picture; the sentence `problem` names it and the limit."""
    return PictureError(
        "too_many_pixels",
        problem,
        gettext_noop("Scale it down or crop it to the digits."),
        limit=max_pixels,
        **values,
    )


def too_many_pages(problem: str, max_pages: int, **values: Value) -> PictureError:
    """Return the error for a file with too many pages; the sentence `problem` says how many."""
    return PictureError(
        "too_many_pages",
        problem,
        gettext_noop("Split the file."),
        most=max_pages,
        **values,
    )
