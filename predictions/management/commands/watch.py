"""`manage.py watch`: read pictures as they arrive in a folder."""

import signal
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django import db
from django.core.management import CommandError
from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from predictions.core.records import Status
from predictions.management import INTERRUPTED
from predictions.management.folder import DONE, FAILED, Folder
from predictions.management.output import SiteCommand
from predictions.management.places import PlaceRefused
from predictions.management.table import Table
from predictions.recognition.active_reader import warm_up, watch_active_version

LOOK_EVERY_S = 60.0  # file systems of other machines may tell of nothing
COLUMNS = {"file": 0, "status": len(Status.NEEDS_REVIEW), "text": 0}
PAUSE_S = 0.1  # so that many changes are looked at once
# A signal that another thread receives does not end the main thread's wait.
SIGNAL_S = 0.5
# Not those that looking at the folder makes itself.
CHANGES: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]


class Command(SiteCommand):
    help = (
        "Reads and keeps each picture that arrives in a folder, once its size stays the same, and "
        f"moves it to its folder {DONE} or {FAILED}, with the answer as JSON beside it. None is "
        "read twice, however often this is stopped and started; Ctrl-C stops it at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument(
            "--settle",
            type=float,
            default=2.0,
            metavar="SECONDS",
            help="how long a file's size has to stay the same; default: 2",
        )

    def handle(self, *, folder: Path, settle: float, **options: Any) -> None:
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        if not 0 < settle <= 3600:
            raise CommandError("--settle is more than 0 and at most 3600 seconds.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        observer = Observer()
        watched = Folder(folder, settle_s=settle)
        try:
            watched.check()
            changed = Event()
            observer.schedule(_Wake(changed), str(folder), event_filter=CHANGES)
            observer.start()
            warm_up()
            watch_active_version()
            self.stdout.write(f"Waiting for pictures in {folder}.")
            self.stdout.flush()
            self._watch(watched, changed)
        except BrokenPipeError:
            raise  # for manage.py
        except (OSError, PlaceRefused) as error:  # no more watches, for example
            raise CommandError(f"{folder} cannot be watched: {error}") from error
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
            sys.exit(INTERRUPTED)
        finally:
            if observer.is_alive():
                observer.stop()

    def _watch(self, folder: Folder, changed: Event) -> None:
        table = Table(self.stdout, COLUMNS)
        while True:
            changed.clear()
            db.close_old_connections()
            for answer in folder.read_settled():
                self._tell(table, answer)
            look_at = time.monotonic() + min(folder.next_look_s, LOOK_EVERY_S)
            while not changed.is_set() and (wait_s := look_at - time.monotonic()) > 0:
                changed.wait(min(wait_s, SIGNAL_S))
            time.sleep(PAUSE_S)

    def _tell(self, table: Table, answer: dict[str, Any]) -> None:
        if "error" in answer:
            table.row([answer["file"], FAILED, answer["error"]["message"]])
        for told in answer.get("predictions", ()):
            table.row([answer["file"], told["status"], told["text"].replace("\n", "|")])
        self.stdout.flush()


class _Wake(FileSystemEventHandler):
    """Wakes the main thread when anything in the folder changes."""

    def __init__(self, changed: Event) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._changed.set()
