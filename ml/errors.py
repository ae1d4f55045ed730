"""What can go wrong in `ml`, each with words for the person who has to do something about it."""


class MLError(Exception):
    """Base of every error that `ml` raises on purpose."""


class PictureError(MLError):
    """A picture that cannot be read, and why.

    Parameters
    ----------
    code
        A stable word for programs: ``empty_file``, ``unsupported_format``, ``broken_file``,
        ``too_many_pixels`` or ``wrong_pixels``.
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
