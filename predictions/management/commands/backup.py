"""`manage.py backup`: predictions and what people did with them, in one archive."""

import os
import sys
from argparse import SUPPRESS, ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django import db
from django.core.management import CommandError

from ml.new_file import new_file
from predictions.core.errors import PredictionsError
from predictions.management import INTERRUPTED
from predictions.management.backup.collect import NOTHING, Backup
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar


class Command(SiteCommand):
    help = (
        "Writes an archive of all predictions with their pictures and corrections, and of the "
        "model versions, for `restore` into this or another store. The site may serve meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the file to write; - for standard output")
        parser.add_argument(
            "--accounts",
            action="store_true",
            help="also accounts, groups and tokens, with the hashes of passwords and tokens",
        )
        # For movestore: the newest and the oldest prediction of those to leave out.
        parser.add_argument("--moved", nargs=2, type=UUID, default=NOTHING, help=SUPPRESS)

    def handle(self, *, file: str, accounts: bool, moved: Any, **options: Any) -> None:
        try:
            if file == "-":
                self._write(sys.stdout.buffer, accounts, moved, bar=options["verbosity"] > 0)
                sys.stdout.buffer.flush()
                return
            # An interrupted backup leaves no file that looks complete.
            with new_file(Path(file)) as output:
                self._write(output, accounts, moved, bar=options["verbosity"] > 0)
                output.flush()
                os.fsync(output.fileno())
        except KeyboardInterrupt:
            if options["verbosity"]:
                self.stderr.write("Interrupted. No backup was made.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            raise  # for manage.py
        except (PredictionsError, OSError, db.Error) as error:
            raise CommandError(f"No backup was made: {error}") from error

    def _write(self, output: IO[bytes], accounts: bool, moved: Any, *, bar: bool) -> None:
        backup = Backup(output, with_accounts=accounts, moved=tuple(moved))
        done = 0
        with closing(ProgressBar(sys.stderr, lines=False)) as progress:
            for done in backup.write():
                if bar:
                    progress.advance(done, None, unit="predictions")
        for number in backup.damaged_versions:
            self.stderr.write(f"Model version {number} is damaged and was left out.")
        if bar:
            self.stderr.write(f"Predictions: {done}.")
