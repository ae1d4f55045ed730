"""The reader of this process: made once, after gunicorn's fork, and shared by its threads."""

from threading import Lock

from django.conf import settings

from ml.classifier import load_classifier
from ml.reader import Reader

_lock = Lock()
_reader: Reader | None = None


def get_reader() -> Reader:
    """Return the reader with the active network, loaded at the first call.

    Raises
    ------
    ml.errors.ModelError
        If the network cannot be loaded.
    """
    global _reader
    with _lock:
        if _reader is None:
            classifier = load_classifier(settings.MODEL_DIR)
            _reader = Reader(classifier, max_pixels=settings.MAX_PIXELS)
        return _reader


def warm_up() -> None:
    """Load the network and let it read once, so that the first visitor does not wait."""
    get_reader().classifier.warm_up()
