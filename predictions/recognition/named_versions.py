"""Readers of versions that requests name, beside that of the active one: a few at a time."""

from collections import OrderedDict
from threading import Lock
from typing import Any

from django.utils.translation import gettext as _

from ml.errors import ModelError
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

    Versions are loaded one at a time: whoever asks for many of them by turns waits.
    """

    def __init__(self) -> None:
        self._lock = Lock()
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
        if not self._lock.acquire(timeout=MAX_WAIT_S):
            raise VersionsBusy
        try:
            if identity not in self._held:
                self._held[identity] = load_reader(versions.get(number))
            self._held.move_to_end(identity)
            while len(self._held) > MAX_HELD:
                self._held.popitem(last=False)
            return self._held[identity]
        except ModelError as error:
            raise VersionRefused("version_damaged", str(error)) from error
        finally:
            self._lock.release()


_held_readers = HeldReaders()


def get_reader_of(number: int | None) -> Reader:
    """Return the reader of a version, or of the active one for None; see `HeldReaders.get`."""
    active = get_reader()
    if number is None or number == active.classifier.version:
        return active
    return _held_readers.get(number)
