"""The reader of this process, created after gunicorn's fork and shared by its threads.

It is replaced as a whole when another model version is activated. A request gets the reader once,
so one version handles all of it. A background thread polls SQL; predictions never do.
"""

import time
from threading import Lock, Thread

import structlog
from django import db
from django.conf import settings

from ml.errors import ModelError
from ml.model.classifier import Classifier, load_classifier
from ml.reading.page_reader import PageReader, load_page_reader
from ml.reading.reader import Reader
from predictions.core.metrics import MODEL_SWAPS, VERSION_CHECK_ERRORS
from predictions.registry.models import ModelVersion
from predictions.registry.versions import SHIPPED, classifier_of, page_reader_of

CHECK_EVERY_S = 1.0
IDENTITY = ("number", "sha256")  # distinguishes one active version from another

log = structlog.get_logger(__name__)


class ActiveReader:
    """Holds the reader of the active version."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reader: Reader | None = None
        self._seen: tuple[int, str] | None = None  # None: the shipped network

    def get(self) -> Reader:
        """Return the reader, loading it at the first call.

        Raises
        ------
        ml.errors.ModelError
            If not even the shipped version can be loaded.
        """
        reader = self._reader
        if reader is None:
            with self._lock:
                reader = self._reader or self._load()
        return reader

    def check(self) -> None:
        """Replace the reader if another version was activated and can run."""
        with self._lock:
            active = ModelVersion.objects.filter(active=True)
            if self._reader is None or active.values_list(*IDENTITY).first() != self._seen:
                self._change(active.first())

    def _load(self) -> Reader:
        """Load the active version, or the shipped one if that is impossible."""
        try:
            self._change(ModelVersion.objects.filter(active=True).first())
        except db.Error as error:
            log.warning("active model version unknown", error=str(error))
        if self._reader is None:
            self._reader = _reader_with(*_load_shipped())
        return self._reader

    def _change(self, active: ModelVersion | None) -> None:
        # Remembered even if the version cannot run, so that it is tried only once.
        self._seen = None if active is None else (active.number, active.sha256)
        try:
            networks = _load_shipped() if active is None else _load(active)
        except ModelError as error:
            log.error("model version refused", error=str(error))
            return
        if self._reader is not None:
            MODEL_SWAPS.inc()
        self._reader = _reader_with(*networks)
        log.info("model version in use", model_version=self._reader.classifier.version)


_active_reader = ActiveReader()


def get_reader() -> Reader:
    """Return the reader of the active version.

    Raises
    ------
    ml.errors.ModelError
        If no version can be loaded.
    """
    return _active_reader.get()


def check_active_version() -> None:
    """Replace the reader if another version is active now."""
    _active_reader.check()


def warm_up() -> None:
    """Load and warm up the network, so that the first request is not slow."""
    get_reader().classifier.warm_up()


def warm_up_for_pages(threads: int) -> None:
    """Prepare for pages in the background: the worker is ready meanwhile."""
    warm_up = get_reader().page_reader.warm_up
    Thread(target=warm_up, args=(threads,), name="warm-up-for-pages", daemon=True).start()


def watch_active_version() -> None:
    """Start the thread that follows an activation within a second."""
    Thread(target=_watch, name="watch-active-version", daemon=True).start()


def _watch() -> None:
    known = True
    while True:
        time.sleep(CHECK_EVERY_S)
        try:
            db.close_old_connections()
            check_active_version()
            known = True
        except Exception as error:  # the thread is not started again: nothing may end it
            VERSION_CHECK_ERRORS.inc()
            if known:  # once an outage, not once a second
                log.warning("active model version unknown", error=str(error))
            known = False


def _load_shipped() -> tuple[Classifier, PageReader]:
    classifier = load_classifier(settings.MODEL_DIR, version=SHIPPED)
    classifier.warm_up()
    return classifier, load_page_reader(settings.MODEL_DIR)


def load_reader(version: ModelVersion) -> Reader:
    """Load what reads with a version.

    Raises
    ------
    ModelError
        If it is damaged or cannot run here.
    """
    return _reader_with(*_load(version))


def _load(version: ModelVersion) -> tuple[Classifier, PageReader]:
    classifier = classifier_of(version)
    return classifier, page_reader_of(version, classifier)


def _reader_with(classifier: Classifier, page_reader: PageReader) -> Reader:
    return Reader(
        classifier,
        page_reader,
        max_pixels=settings.MAX_PIXELS,
        max_pages=settings.MAX_PAGES,
        min_confidence=settings.UNREADABLE_BELOW_CONFIDENCE,
    )
