"""`manage.py exportpredictions`: predictions with their corrections as a file."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

from ml.new_file import new_file
from predictions.core.errors import PredictionsError
from predictions.exports.files import Format, export
from predictions.management.output import SiteCommand
from predictions.review import search
from predictions.web.list_params import ZONE, FilterParams


class Command(SiteCommand):
    help = "Exports predictions with their corrections, newest first, in constant memory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=[str(form) for form in Format], default="csv")
        parser.add_argument(
            "--output", type=Path, help="the file to write, a zip for idx; default: standard output"
        )
        parser.add_argument(
            "--corrected-only", action="store_true", help="only corrected predictions"
        )
        parser.add_argument("--digit", help="only predictions with this digit")
        parser.add_argument("--status", help="read, needs_review or unreadable")
        parser.add_argument("--number", help="only with this number, or its beginning")
        parser.add_argument("--file-name", help="only with these words in the file's name")
        parser.add_argument("--created-by", help="only by this account")
        parser.add_argument("--source", help="page, api, canvas, command or legacy")
        parser.add_argument("--model-version", help="only read by this model version")
        parser.add_argument("--since", help=f"made at or after this date, or date and time, {ZONE}")
        parser.add_argument("--until", help=f"made before this date, or date and time, {ZONE}")

    def handle(self, **options: Any) -> None:
        output: Path | None = options["output"]
        try:
            params = FilterParams.parse(options)
            pieces = export(
                search.export(params.filters, corrected=params.wants_corrected),
                Format(options["format"]),
                corrected_only=options["corrected_only"],
            )
            if output is None:
                sys.stdout.buffer.writelines(pieces)
                return
            # An interrupted export leaves no file that looks complete.
            with new_file(output) as file:
                file.writelines(pieces)
        except BrokenPipeError:
            raise  # for manage.py
        except (PredictionsError, OSError) as error:
            raise CommandError(str(error)) from error
