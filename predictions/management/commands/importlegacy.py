"""`manage.py importlegacy`: import the readings of the original system."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import closing
from typing import Any

from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management import INTERRUPTED
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar

NAME = re.compile(r'[A-Za-z]\w{0,47}|"\w{1,48}"', re.ASCII)


class Command(SiteCommand):
    help = (
        "Reads the original system's table in Cassandra and keeps each row as a prediction "
        "without a picture: once, however often it is run. The predictions' own store may be any; "
        "CASSANDRA_CONTACT_POINTS and the like say where the table is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--keyspace", type=cql_name, default="bleekeyspace")
        parser.add_argument("--table", type=cql_name, default="CNN_table")

    def handle(self, *, keyspace: str, table: str, **options: Any) -> None:
        # Imported here, since the driver is slow to import.
        from predictions.legacy.table import keep_rows, open_table

        read = kept = timeless = 0
        try:
            with (
                open_table(keyspace, table) as pages,
                closing(ProgressBar(sys.stderr, lines=False)) as bar,
            ):
                for rows in pages:
                    kept += keep_rows(rows)
                    read += len(rows)
                    timeless += sum(row.moment is None for row in rows)
                    bar.advance(read, None, unit="rows")
        except PredictionsError as error:
            raise CommandError(f"{error.message}{_how_far(read)}") from error
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted.{_how_far(read)}")
            sys.exit(INTERRUPTED)
        self.stdout.write(f"Rows: {read}. Kept now: {kept}, kept before: {read - kept}.")
        if timeless:
            self.stdout.write(
                f"Of {timeless} the time cannot be told: they stand at 1970-01-01, with its text "
                "in place of a file's name."
            )


def cql_name(text: str) -> str:
    """Return a CQL identifier, quoted if its case matters."""
    if not NAME.fullmatch(text):
        raise ArgumentTypeError(f"“{text}” is no name of a keyspace or table.")
    return text


def _how_far(read: int) -> str:
    return f" {read} rows are done; run it again to go on: none is kept twice." if read else ""
