"""`manage.py movestore`: everything from another store into this site's, without a file."""

import hashlib
import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from django import db
from django.conf import settings
from django.core.management import CommandError

from ml.new_file import new_file
from predictions.core.errors import PredictionsError
from predictions.management import INTERRUPTED
from predictions.management.backup.restore import Restore
from predictions.management.commands.restore import describe, how_far
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar
from predictions.stores import STORES


class Command(SiteCommand):
    help = (
        "Copies predictions, pictures, corrections and model versions from another store into the "
        "one that this site is set to. Both may serve meanwhile; run it again to go on after an "
        "interruption, and for what came since. The other store is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from",
            dest="source",
            choices=list(STORES),
            required=True,
            help="the store that holds them now; CASSANDRA_… variables say where a cluster is",
        )
        parser.add_argument(
            "--from-database",
            metavar="URL",
            default=os.environ.get("FROM_DATABASE_URL"),
            help="the SQL database beside them, as in DATABASE_URL; default: FROM_DATABASE_URL, "
            "else that of this site",
        )
        parser.add_argument(
            "--accounts", action="store_true", help="also accounts, groups and tokens"
        )

    def handle(
        self, *, source: str, from_database: str | None, accounts: bool, **options: Any
    ) -> None:
        if source == settings.PREDICTION_STORE and not from_database:
            raise CommandError(
                f"This site's own store is “{source}”. Set PREDICTION_STORE to where the "
                "predictions are to be, or name another database with --from-database."
            )
        moved = MovedRange(settings.VAR_DIR / "movestore.json", [source, from_database])
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "backup", "-", "-v0"]
        command += [*moved.arguments(), *(["--accounts"] if accounts else [])]
        environment = os.environ | {"PREDICTION_STORE": source}
        if from_database:
            environment["DATABASE_URL"] = from_database
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:  # noqa: S603
            assert process.stdout is not None  # noqa: S101
            restore = Restore(process.stdout, with_accounts=accounts)
            try:
                self._restore(restore, moved)
                process.communicate()
            except (PredictionsError, OSError, db.Error) as error:
                raise CommandError(f"{error}{how_far(restore)}") from error
            except KeyboardInterrupt:
                self.stderr.write(f"Interrupted.{how_far(restore)}")
                sys.exit(INTERRUPTED)
            finally:
                process.kill()  # unless it has ended
        moved.forget()
        for line in describe(restore):
            self.stdout.write(line)

    def _restore(self, restore: Restore, moved: "MovedRange") -> None:
        with closing(ProgressBar(sys.stderr, lines=False)) as bar:
            for done in restore.run():
                bar.advance(done, None, unit="predictions")
                if done:
                    moved.remember(restore)


class MovedRange:
    """The predictions that an interrupted run has moved: all from the newest to the oldest.

    Parameters
    ----------
    path
        The file where they are remembered.
    source
        What identifies the store they come from.
    """

    def __init__(self, path: Path, source: list[str | None]) -> None:
        self.path = path
        both = json.dumps([*source, settings.PREDICTION_STORE])
        self.source = hashlib.sha256(both.encode()).hexdigest()  # a URL may hold a password
        self.newest: UUID | None = None
        self.oldest: UUID | None = None
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["source"] == self.source:
                self.newest, self.oldest = UUID(kept["newest"]), UUID(kept["oldest"])

    def arguments(self) -> list[str]:
        return ["--moved", str(self.newest), str(self.oldest)] if self.newest else []

    def remember(self, restore: Restore) -> None:
        """Remember how far a run has come, once it has passed what an earlier one moved."""
        newest, oldest = restore.manifest["newest"], restore.oldest
        if oldest is None or (self.oldest is not None and oldest > self.oldest):
            return
        kept = {"source": self.source, "newest": newest, "oldest": str(oldest)}
        with new_file(self.path) as file:
            file.write(json.dumps(kept).encode())

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
