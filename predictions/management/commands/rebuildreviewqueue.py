"""`manage.py rebuildreviewqueue`: make the review queue again from the predictions."""

from typing import Any

from django.core.management import BaseCommand, CommandError

from predictions import review
from predictions.errors import PredictionsError


class Command(BaseCommand):
    help = "Puts every prediction that needs review, and has no correction, into the queue."

    def handle(self, **options: Any) -> None:
        try:
            review.rebuild()
        except PredictionsError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{review.waiting()} predictions wait for review.")
