"""`manage.py deletemodel`: delete a model version that was never active."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.registry import versions


class Command(SiteCommand):
    help = "Deletes a model version that was never active."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", type=int)

    def handle(self, *, version: int, **options: Any) -> None:
        try:
            versions.delete(version, by="command line")
        except PredictionsError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Model version {version} was deleted.")
