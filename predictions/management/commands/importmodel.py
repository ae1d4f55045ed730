"""`manage.py importmodel`: add a model version from a file or directory."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.registry import versions
from predictions.registry.archives import from_archive


class Command(SiteCommand):
    help = "Adds a model version from `exportmodel` or `train` without activating it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a zip file, or a model directory")
        parser.add_argument(
            "--base",
            type=int,
            metavar="VERSION",
            help="take any part that is missing from this version; default: what reads pages from "
            "the shipped one",
        )

    def handle(self, *, path: Path, base: int | None, **options: Any) -> None:
        try:
            others = None if base is None else versions.get(base)
            if path.is_dir():
                version = versions.add(path, base=others)
            else:
                with path.open("rb") as file:
                    version = versions.register(from_archive(file, str(path), base=others))
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
