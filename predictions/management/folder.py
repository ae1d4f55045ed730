"""A folder whose pictures are read as they arrive, each once.

What was read lies in `done`, what cannot be read in `failed`, each with the answer as JSON beside
it. A picture has an idempotency key made of its name and bytes, so that a process that was killed
before it moved one does not read it again.
"""

import hashlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from django import db
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from ml.files.formats import ENDINGS
from predictions import services
from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, is_outage
from predictions.core.records import Source
from predictions.management.places import PlaceRefused, open_place, open_plain, put_away
from predictions.recognition.uploads import Upload, safe_file_name, too_large
from predictions.services.idempotency import KeyConflict
from predictions.web.json import saved_json

OWNER = "folder"  # of the idempotency keys
DONE, FAILED = "done", "failed"
FIRST_RETRY_S, MAX_RETRY_S = 2.0, 60.0

log = structlog.get_logger(__name__)


class Seen(NamedTuple):
    """What tells that a file was not written to."""

    inode: int
    size: int
    modified_ns: int


class Folder:
    """The pictures that wait in a folder.

    Parameters
    ----------
    path
        The folder.
    settle_s
        How long a file's size has to stay until it is read, in seconds.
    """

    def __init__(self, path: Path, *, settle_s: float) -> None:
        self.path = path
        self.settle_s = settle_s
        self._since: dict[str, tuple[Seen, float]] = {}  # when a file was first seen like this
        self._left: dict[str, Seen] = {}  # that cannot be moved
        self._retry_s = 0.0
        self._not_before = 0.0

    def check(self) -> None:
        """Raise PlaceRefused if somebody else may have made what pictures would be moved to."""
        for name in (DONE, FAILED):
            if os.path.lexists(self.path / name):
                with open_place(self.path / name):
                    pass

    def read_settled(self) -> Iterator[dict[str, Any]]:
        """Read what has settled, the oldest first; yield the answer of each.

        If the store does not answer, the rest waits, at first for seconds, then for up to a minute.
        """
        for name, seen in self._settled():
            if time.monotonic() < self._not_before:
                return
            try:
                answer = self._answer(name, seen)
                self._retry_s = 0.0
            except (PredictionsError, db.Error) as error:
                # It is not the picture's fault: an outage, or the key of a process that was killed.
                self._retry_s = min(max(2 * self._retry_s, FIRST_RETRY_S), MAX_RETRY_S)
                self._not_before = time.monotonic() + self._retry_s
                log.warning("will be tried again", file=_shown(name), error=str(error))
                db.close_old_connections()
                return
            if answer is not None and self._put_away(name, seen, answer):
                yield answer

    @property
    def next_look_s(self) -> float:
        """How long until a file may have settled or be tried again; for ever if none waits."""
        if not self._since:
            return math.inf
        now = time.monotonic()
        settles = min(since for _, since in self._since.values()) + self.settle_s
        return max(0.05, settles - now, self._not_before - now)

    def _settled(self) -> list[tuple[str, Seen]]:
        try:
            there = {name: seen for name, seen in self._pictures() if self._left.get(name) != seen}
        except OSError as error:
            log.warning("the folder cannot be read", error=str(error))
            return []
        now = time.monotonic()
        before = self._since
        self._since = {
            name: before[name] if before.get(name, (None,))[0] == seen else (seen, now)
            for name, seen in there.items()
        }
        settled = [
            (n, seen) for n, (seen, since) in self._since.items() if now >= since + self.settle_s
        ]
        return sorted(settled, key=lambda each: (each[1].modified_ns, each[0]))

    def _pictures(self) -> Iterator[tuple[str, Seen]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                is_picture = entry.name.lower().endswith(ENDINGS) and entry.name[0] != "."
                if is_picture and entry.is_file(follow_symlinks=False):
                    yield entry.name, _seen(entry.stat(follow_symlinks=False))

    def _answer(self, name: str, seen: Seen) -> dict[str, Any] | None:
        """Read a file; return None if it changed meanwhile, or has gone."""
        told: dict[str, Any] = {"file": _shown(name)}
        try:
            if seen.size > settings.MAX_UPLOAD_BYTES:
                raise too_large()
            with open_plain(self.path / name) as file:
                content = file.read(settings.MAX_UPLOAD_BYTES + 1)
                if _seen(os.fstat(file.fileno())) != seen:
                    return None
            told["sha256"] = hashlib.sha256(content).hexdigest()
            upload = Upload(content, safe_file_name(name))
            key = hashlib.sha256(os.fsencode(name) + b"\0" + content).hexdigest()
            records, _new = services.predict_once(
                upload, owner=OWNER, key=key, source=Source.COMMAND, user=AnonymousUser()
            )
            return told | {"predictions": [saved_json(record) for record in records]}
        except FileNotFoundError:
            return None
        except OSError as error:
            code, message = "unreadable_file", f"The file cannot be read: {error.strerror}."
        except PredictionsError as error:
            if error.retry_after_s is not None:
                raise
            code, message = error.code, error.message
            if isinstance(error, KeyConflict):
                message = "Its prediction was deleted. Under another name it is read again."
        except Exception as error:  # whatever a file does, the next ones are read
            if is_outage(error):
                raise
            log.exception("a file could not be read", file=told["file"])
            code, message = "unexpected", f"{type(error).__name__}: {error}"[:500]
        return told | error_body(code, message)

    def _put_away(self, name: str, seen: Seen, answer: dict[str, Any]) -> bool:
        """Move a file and write its answer beside it; return whether that could be done."""
        target = self.path / (DONE if "predictions" in answer else FAILED)
        try:
            with open_place(target) as place:
                put_away(self.path / name, place, answer)
        except (OSError, PlaceRefused) as error:
            log.warning("the file cannot be moved", file=_shown(name), error=_shown(str(error)))
            self._left[name] = seen
            return False
        finally:
            self._since.pop(name, None)
        return True


def _shown(name: str) -> str:
    """Return a name that is not UTF-8 as one that can be written."""
    return os.fsencode(name).decode(errors="replace")


def _seen(stat: os.stat_result) -> Seen:
    return Seen(stat.st_ino, stat.st_size, stat.st_mtime_ns)
