"""`manage.py importmodel`: add a model version from a file or directory."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from predictions.core.errors import PredictionsError
from predictions.registry import versions
from predictions.registry.archives import from_archive


class Command(BaseCommand):
    help = "Adds a model version from `exportmodel` or `train` without activating it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a zip file, or a model directory")

    def handle(self, *, path: Path, **options: Any) -> None:
        try:
            if path.is_dir():
                version = versions.add(path)
            else:
                with path.open("rb") as file:
                    version = versions.register(from_archive(file, str(path)))
        except PredictionsError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(
                f"{path} is not an exported model version that can be read: {error.strerror}."
            ) from error
        self.stdout.write(
            f"Added model version {version.number}. Activate it with: "
            f"python manage.py activatemodel {version.number}"
        )
