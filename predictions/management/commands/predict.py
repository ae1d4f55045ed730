"""`manage.py predict`: read pictures from files, folders, or a list on standard input."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from ml.files.formats import ENDINGS
from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, StoreUnavailable
from predictions.core.records import PredictionRecord, Status
from predictions.management.bulk import Outcome, default_workers, read_files
from predictions.management.progress import ProgressBar
from predictions.management.table import Table
from predictions.web.json import saved_json, unsaved_json

COLUMNS = {"file": 0, "status": len(Status.NEEDS_REVIEW), "confidence": 0, "text": 0}
ERROR = "error"  # in place of a status
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


class Command(BaseCommand):
    help = "Reads the digits in pictures and prints them; keeps them only with --store."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            metavar="PATH",
            help="a picture, a folder of pictures, or - for a list of them on standard input",
        )
        parser.add_argument(
            "--format",
            choices=["text", "json"],
            default="text",
            help="text: tab-separated file, text, status, confidence and text with marks, on a "
            "terminal in columns; json: one object per line",
        )
        parser.add_argument("--store", action="store_true", help="keep the predictions")
        parser.add_argument(
            "--workers",
            type=_at_least_one,
            help="number of processes; default: one per core, fewer for few files",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        paths = list(_expand(options["paths"]))
        workers = options["workers"] or default_workers(len(paths))
        answers = read_files(paths, workers=workers, store=options["store"])
        if options["format"] == "json":
            write = partial(_write_json, self.stdout, kept=options["store"])
        else:
            longest = max((len(str(path)) for path in paths), default=0)
            write = partial(_write_row, Table(self.stdout, COLUMNS | {"file": longest}))
        done, counts = 0, Counter[str]()
        with closing(ProgressBar(sys.stderr, lines=False)) as bar, closing(answers):
            try:
                bar.advance(0, len(paths), unit="files")
                for done, (path, answer) in enumerate(answers, 1):
                    with bar.printing():
                        write(path, answer)
                    counts.update(_statuses(answer))
                    bar.advance(done, len(paths), unit="files")
            except KeyboardInterrupt:
                self.stderr.write(f"Stopped after {done} of {len(paths)} files.")
                sys.exit(INTERRUPTED)
            except StoreUnavailable as error:
                raise CommandError(error.message) from error
            except BrokenProcessPool as error:
                raise CommandError(
                    "A process that reads was ended, perhaps for want of memory: use fewer workers."
                ) from error
        if unread := counts[ERROR] + counts[Status.UNREADABLE]:
            self.stderr.write(f"{unread} of {counts.total()} could not be read.")
        if counts[ERROR]:
            sys.exit(1)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of processes.")
    return int(text)


def _expand(names: Iterable[str]) -> Iterator[Path]:
    """Expand folders to their pictures in order, and `-` to the lines of standard input."""
    for name in names:
        if name == "-":
            yield from (Path(line.rstrip("\n")) for line in sys.stdin if line.strip())
        elif Path(name).is_dir():
            yield from sorted(
                path
                for path in Path(name).rglob("*")
                if path.suffix.lower() in ENDINGS and path.is_file()
            )
        else:
            yield Path(name)


def _statuses(answer: Outcome) -> list[str]:
    """Return the status of each row that is printed."""
    if isinstance(answer, PredictionsError):
        return [ERROR]
    return [record.status for record in answer]


def _write_json(out: Any, path: Path, answer: Outcome, *, kept: bool) -> None:
    if isinstance(answer, PredictionsError):
        out.write(json.dumps({"file": str(path), **error_body(answer.code, answer.message)}))
        return
    for record in answer:
        shown = saved_json(record) if kept else unsaved_json(record)
        out.write(json.dumps({"file": str(path), **shown}, default=str))


def _write_row(table: Table, path: Path, answer: Outcome) -> None:
    if isinstance(answer, PredictionsError):
        if table.in_columns:
            table.row([str(path), ERROR, "", answer.message])
        else:
            table.row([str(path), "", ERROR, answer.message])
        return
    for record in answer:
        name = _named(path, record, len(answer))
        text, marked_text = (t.replace("\n", "|") for t in (record.text, record.marked_text))
        if table.in_columns:
            table.row([name, record.status, _confidence(record, ".1%"), marked_text])
        else:
            table.row([name, text, record.status, _confidence(record, ".4f"), marked_text])


def _named(path: Path, record: PredictionRecord, pages: int) -> str:
    return str(path) if pages == 1 else f"{path}#{record.page}"


def _confidence(record: PredictionRecord, form: str) -> str:
    return "" if record.confidence is None else format(record.confidence, form)
