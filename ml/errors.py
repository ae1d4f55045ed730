"""What can go wrong in `ml`, each with words for the person who has to do something about it."""


class MLError(Exception):
    """Base of every error that `ml` raises on purpose."""


class PictureError(MLError):
    """A picture that cannot be read, and why.

    Parameters
    ----------
    code
        A stable word for programs: ``empty_file``, ``unsupported_format``, ``broken_file``,
        ``encrypted_file``, ``too_many_pixels``, ``too_many_pages``, ``too_complex`` or
        ``wrong_pixels``.
    message
        A sentence for people: what was wrong and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ModelError(MLError):
    """A network that cannot be loaded: missing, corrupt, or of a shape it should not have."""


class DatasetError(MLError):
    """Training data that cannot be used; the message names the file."""


class TrainingError(MLError):
    """A training run that cannot start or go on."""


class ComparisonError(MLError):
    """Two networks that cannot be compared as they are."""


def broken_file(page: int | None = None) -> PictureError:
    """Refuse a damaged file; `page`, counted from 0, is the one of several that is damaged."""
    what = "This file" if page is None else f"Page {page + 1} of this file"
    return PictureError(
        "broken_file",
        f"{what} is damaged or cut short and cannot be read. Save it anew and send it again.",
    )


def too_many_pixels(words: str, max_pixels: int) -> PictureError:
    """Refuse a picture for its size; `words` name it."""
    return PictureError(
        "too_many_pixels",
        f"{words} is too large: at most {max_pixels:,} pixels (width by height) are read. "
        "Make it smaller or cut out the digits.",
    )


def too_many_pages(words: str, max_pages: int) -> PictureError:
    """Refuse a file for the number of its pages; `words` say how many it has."""
    return PictureError(
        "too_many_pages", f"{words}: at most {max_pages:,} are read at once. Send it in parts."
    )
