"""`manage.py shadowmodel`: let a model version read along as a shadow."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import CommandError

from predictions.core.errors import PredictionsError
from predictions.management.output import SiteCommand
from predictions.shadow import runs
from predictions.shadow.agreement import Agreement


class Command(SiteCommand):
    help = "Lets a version read a share of live pictures as a shadow; without arguments, says how."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("version", type=int, nargs="?", help="0 is the shipped version")
        which.add_argument("--stop", action="store_true", help="stop the version that reads along")
        parser.add_argument(
            "--share",
            type=float,
            default=0.1,
            help="of the pictures, from 0.001 to 1; default: 0.1",
        )

    def handle(self, **options: Any) -> None:
        try:
            if options["stop"]:
                runs.stop()
                self.stdout.write("No version reads along any more.")
            elif options["version"] is not None:
                run = runs.start(options["version"], share=options["share"])
                self.stdout.write(
                    f"Model version {run.number} reads {run.share:.0%} of what version "
                    f"{run.against} reads. Workers begin within two seconds."
                )
            else:
                self._describe()
        except PredictionsError as error:
            raise CommandError(str(error)) from error

    def _describe(self) -> None:
        run = runs.current()
        if run is None:
            self.stdout.write("No version reads along.")
            return
        agreement = Agreement(run.counts)
        self.stdout.write(
            f"Model version {run.number} reads {run.share:.0%} of what version {run.against} "
            f"reads: {agreement.pictures} pictures, {agreement.same} alike."
        )
