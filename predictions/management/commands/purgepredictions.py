"""`manage.py purgepredictions`: delete expired predictions and sessions."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.utils import timezone

from predictions.core.errors import StoreUnavailable
from predictions.management.output import SiteCommand
from predictions.services.retention import delete_expired_sessions, purge


class Command(SiteCommand):
    help = (
        "Deletes predictions that are older than RETENTION_DAYS, in bounded batches, and sessions "
        "that have expired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days", type=int, default=settings.RETENTION_DAYS, help="instead of RETENTION_DAYS"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if days < 1:
            raise CommandError("Predictions are kept for ever: set RETENTION_DAYS, or give --days.")
        before = timezone.now() - timedelta(days=days)
        moment = before.isoformat(timespec="seconds")
        deleted = 0
        try:
            for count in purge(before, by="command line"):
                deleted += count
        except StoreUnavailable as error:
            raise CommandError(
                f"The prediction store does not answer. {deleted} predictions from before {moment} "
                "were deleted; run the command again for the rest."
            ) from error
        self.stdout.write(f"{deleted} predictions from before {moment} were deleted.")
        self.stdout.write(f"{delete_expired_sessions()} expired sessions were deleted.")
