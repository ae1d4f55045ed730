"""Readers of versions that requests name, beside that of the active one: a few at a time."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from django.utils.translation import gettext as _

from ml.errors import DecodingBusy, ModelError
from ml.files import isolation
from ml.reading.reader import Reader
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.recognition.active_reader import get_reader, load_reader
from predictions.registry import versions

MAX_HELD = 2  # in each worker; one that has read pages takes some 25 MB
MAX_WAIT_S = 5.0  # for another request that loads one


class VersionsBusy(PredictionsError):
    """Other versions are being loaded at the moment."""

    status = 503
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("busy", _("Other model versions are being loaded. Try again in a second."))


class HeldReaders:
    """Loads a version's reader when it is asked for, and drops the one that was used least lately.

    A version is loaded as a costly file is read: one at a time, in a thread that does not count as
    busy. Whoever asks for many versions by turns delays only those who do the same.
    """

    def __init__(self) -> None:
        self._lock = Lock()  # of what is held, never for long
        self._loading = Lock()
        self._held: OrderedDict[tuple[Any, ...], Reader] = OrderedDict()

    def get(self, number: int) -> Reader:
        """Return the reader of a version.

        Raises
        ------
        PredictionsError
            If there is none with this number; `VersionsBusy` if it must wait too long.
        VersionRefused
            If it is damaged or cannot run here.
        """
        identity = versions.identity(number)  # a number may be given again after a deletion
        reader = self._find(identity)
        if reader is not None:
            return reader
        try:
            with isolation.Place() as place:
                place.hold()
                with isolation.idle(), self._turn():
                    return self._find(identity) or self._load(identity, number)
        except DecodingBusy as error:
            raise VersionsBusy from error
        except ModelError as error:
            raise VersionRefused("version_damaged", str(error)) from error

    def _find(self, identity: tuple[Any, ...]) -> Reader | None:
        with self._lock:
            if identity in self._held:
                self._held.move_to_end(identity)
            return self._held.get(identity)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._loading.acquire(timeout=MAX_WAIT_S):
            raise VersionsBusy
        try:
            yield
        finally:
            self._loading.release()

    def _load(self, identity: tuple[Any, ...], number: int) -> Reader:
        reader = load_reader(versions.get(number))
        with self._lock:
            self._held[identity] = reader
            while len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
        return reader


_held_readers = HeldReaders()


def get_reader_of(number: int | None) -> Reader:
    """Return the reader of a version, or of the active one for None; see `HeldReaders.get`."""
    active = get_reader()
    if number is None or number == active.classifier.version:
        return active
    return _held_readers.get(number)
