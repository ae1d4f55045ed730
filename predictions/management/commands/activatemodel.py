"""`manage.py activatemodel`: activate a model version, or roll back to the previous one."""

import sys
from argparse import ArgumentParser
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from ml.data.dataset import load_digits, split
from ml.errors import MLError
from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.management.progress import ProgressBar
from predictions.registry import activation


class Command(SiteCommand):
    help = "Activates a model version unless it performs worse than the active one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("version", type=int, nargs="?", help="0 is the shipped version")
        which.add_argument(
            "--previous", action="store_true", help="roll back to the previous version"
        )
        parser.add_argument(
            "--data",
            type=Path,
            help="MNIST's idx files: compare on their validation digits if the versions were "
            "measured on different ones",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="activate even if it performs worse; needs --reason",
        )
        parser.add_argument("--reason", default="", help="recorded with the activation")

    def handle(self, **options: Any) -> None:
        number = activation.previous() if options["previous"] else options["version"]
        if number is None:
            raise CommandError("No version was ever replaced, so there is none to go back to.")
        try:
            digits = options["data"] and split(load_digits(options["data"], "training")).validation
            with closing(ProgressBar(sys.stderr, "Comparing it with the active version")) as bar:
                activated = activation.activate(
                    number,
                    force=options["force"],
                    reason=options["reason"],
                    digits=digits,
                    on_progress=partial(bar.advance, unit="pages"),
                )
        except (PredictionsError, MLError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Model version {activated.number} is active in place of {activated.replaced}. "
            "Workers change to it within two seconds."
        )
