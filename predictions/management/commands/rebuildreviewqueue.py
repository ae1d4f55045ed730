"""`manage.py rebuildreviewqueue`: rebuild the review queue from the predictions."""

from typing import Any

from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.review import queue


class Command(SiteCommand):
    help = "Adds every prediction that needs review and has no correction to the queue."

    def handle(self, **options: Any) -> None:
        try:
            queue.rebuild()
        except PredictionsError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{queue.waiting()} predictions wait for review.")
