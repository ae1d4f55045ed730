"""`manage.py restore`: what `backup` wrote, into whichever store this site has."""

import sys
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from django import db
from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management import INTERRUPTED
from predictions.management.backup.restore import Restore
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar
from predictions.registry import versions


class Command(SiteCommand):
    help = (
        "Adds what an archive of `backup` holds and is not here yet, to whichever store is "
        "configured. What is here stays as it is: run it again after an interruption."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the archive; - for standard input")
        parser.add_argument(
            "--accounts",
            action="store_true",
            help="also add accounts, groups and tokens if it holds some; whoever made the archive "
            "decides who may do what here",
        )
        parser.add_argument("--check", action="store_true", help="only check the archive")

    def handle(self, *, file: str, accounts: bool, check: bool, **options: Any) -> None:
        try:
            if file == "-":
                self._restore(sys.stdin.buffer, accounts, check)
                return
            with Path(file).open("rb") as archive:
                self._restore(archive, accounts, check)
        except OSError as error:
            raise CommandError(f"The archive cannot be read: {error}") from error

    def _restore(self, archive: IO[bytes], accounts: bool, check: bool) -> None:
        restore = Restore(archive, with_accounts=accounts, check_only=check)
        try:
            with closing(ProgressBar(sys.stderr, lines=False)) as bar:
                for done in restore.run():
                    bar.advance(done, None, unit="predictions")
        except (PredictionsError, db.Error) as error:
            raise CommandError(f"{error}{how_far(restore)}") from error
        except KeyboardInterrupt:
            self.stderr.write(f"Interrupted.{how_far(restore)}")
            sys.exit(INTERRUPTED)
        if check:
            self.stdout.write(f"The archive is whole: {restore.counts['predictions']} predictions.")
            return
        for line in describe(restore):
            self.stdout.write(line)


def describe(restore: Restore) -> list[str]:
    """Return what was done, a line for each kind."""
    counts = restore.counts
    lines = []
    for kind in ("predictions", "corrections", "versions", "accounts"):
        if not counts[kind] or (kind == "accounts" and not restore.with_accounts):
            continue
        name = "Model versions" if kind == "versions" else kind.capitalize()
        new, other = counts[f"new {kind}"], counts[f"other {kind}"]
        before = counts[kind] - new
        lines.append(f"{name}: {counts[kind]}. Kept now: {new}, here before: {before}.")
        if other:
            lines.append(f"{other} of these {kind} are different here, and stay as they are.")
    if counts["new activations"]:
        lines.append(f"Model version {versions.active_number()} is active now, as in the archive.")
    if counts["other activations"]:
        lines.append("Other model versions were active here: the active one stays.")
    return lines


def how_far(restore: Restore) -> str:
    done = restore.counts["predictions"]
    if restore.check_only or not done:
        return ""
    return f" {done} predictions are done; run it again to go on: none is kept twice."
