"""`manage.py exportmodel`: write a model version to a file for another site."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from ml.new_file import new_file
from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.registry import versions
from predictions.registry.archives import pack


class Command(SiteCommand):
    help = "Writes a model version to a zip file for `importmodel`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", type=int)
        parser.add_argument("path", type=Path, help="the file to write; must not exist yet")

    def handle(self, *, version: int, path: Path, **options: Any) -> None:
        if path.exists():
            raise CommandError(f"{path} is there already: remove it or choose another name.")
        try:
            with new_file(path) as file:
                file.write(pack(versions.get(version)))
        except (PredictionsError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Model version {version} lies in {path}.")
