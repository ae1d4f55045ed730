"""`manage.py predict`: read pictures from files, folders, or a list on standard input."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from django.core.management import CommandError
from django.core.management.base import OutputWrapper

from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, StoreUnavailable
from predictions.core.records import PredictionRecord, Status
from predictions.management import INTERRUPTED
from predictions.management.bulk import Outcome, Outcomes, default_workers, read_files
from predictions.management.output import Output, SiteCommand
from predictions.management.pictures import Picture, Pictures
from predictions.management.progress import ProgressBar
from predictions.management.resume import Done
from predictions.management.table import Table
from predictions.web.json import saved_json, unsaved_json

COLUMNS = {"file": 0, "status": len(Status.NEEDS_REVIEW), "confidence": 0, "text": 0}
ERROR = "error"  # in place of a status


class Command(SiteCommand):
    help = "Reads the digits in pictures and prints them; keeps them only with --store."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            metavar="PATH",
            help="a picture, a folder or ZIP file of pictures, or - for a list of them on standard "
            "input",
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
            "--output", type=Path, help="the file to write; default: standard output"
        )
        parser.add_argument(
            "--resume",
            action="store_true",
            help="leave out what the output file has already, and add the rest to it",
        )
        parser.add_argument(
            "--workers",
            type=_at_least_one,
            help="number of processes; default: one per core, fewer for few files",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path | None = options["output"]
        if output is None:
            if options["resume"]:
                raise CommandError("--resume needs the --output of the run to go on with.")
            self._predict(self.stdout, (), options)
            return
        try:
            done = _done_in(output, options)
            file = output.open("a", encoding="utf-8", errors="surrogateescape", buffering=1)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        with file:
            self._predict(Output(file), done, options)

    def _predict(self, out: OutputWrapper, done: Container[str], options: dict[str, Any]) -> None:
        output: Path | None = options["output"]
        with TemporaryFile("w+", encoding="utf-8", errors="surrogateescape") as listed:
            pictures = Pictures(options["paths"], listed)
            total = longest = 0
            for picture in _not_done(pictures, done):
                total, longest = total + 1, max(longest, len(str(picture)))
            answers = read_files(
                _not_done(pictures, done),
                workers=options["workers"] or default_workers(total),
                store=options["store"],
                run=None if output is None else str(output.resolve()),
            )
            if options["format"] == "json":
                write = partial(_write_json, out, kept=options["store"])
            else:
                write = partial(_write_row, Table(out, COLUMNS | {"file": longest}))
            self._write_all(answers, write, total)

    def _write_all(
        self, answers: Outcomes, write: Callable[[Picture, Outcome], None], total: int
    ) -> None:
        done, counts = 0, Counter[str]()
        with closing(ProgressBar(sys.stderr, lines=False)) as bar, closing(answers):
            try:
                bar.advance(0, total, unit="files")
                for done, (picture, answer) in enumerate(answers, 1):
                    with bar.printing():
                        write(picture, answer)
                    counts.update(_statuses(answer))
                    bar.advance(done, total, unit="files")
            except KeyboardInterrupt:
                self.stderr.write(f"Stopped after {done} of {total} files.")
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


def _done_in(output: Path, options: dict[str, Any]) -> Container[str]:
    """Return the names that an output file has; one that exists is only gone on with if asked."""
    if not output.exists():
        return ()
    if not options["resume"]:
        raise CommandError(f"{output} is there already. Give --resume to go on, or another name.")
    return Done(output, as_json=options["format"] == "json")


def _not_done(pictures: Iterable[Picture], done: Container[str]) -> Iterator[Picture]:
    return (picture for picture in pictures if str(picture) not in done)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of processes.")
    return int(text)


def _statuses(answer: Outcome) -> list[str]:
    """Return the status of each row that is printed."""
    if isinstance(answer, PredictionsError):
        return [ERROR]
    return [record.status for record in answer]


def _write_json(out: Any, picture: Picture, answer: Outcome, *, kept: bool) -> None:
    if isinstance(answer, PredictionsError):
        out.write(json.dumps({"file": str(picture), **error_body(answer.code, answer.message)}))
        return
    for record in answer:
        shown = saved_json(record) if kept else unsaved_json(record)
        out.write(json.dumps({"file": str(picture), **shown}, default=str))


def _write_row(table: Table, picture: Picture, answer: Outcome) -> None:
    if isinstance(answer, PredictionsError):
        if table.in_columns:
            table.row([str(picture), ERROR, "", answer.message])
        else:
            table.row([str(picture), "", ERROR, answer.message])
        return
    for record in answer:
        name = _named(picture, record, len(answer))
        text, marked_text = (t.replace("\n", "|") for t in (record.text, record.marked_text))
        if table.in_columns:
            table.row([name, record.status, _confidence(record, ".1%"), marked_text])
        else:
            table.row([name, text, record.status, _confidence(record, ".4f"), marked_text])


def _named(picture: Picture, record: PredictionRecord, pages: int) -> str:
    return str(picture) if pages == 1 else f"{picture}#{record.page}"


def _confidence(record: PredictionRecord, form: str) -> str:
    return "" if record.confidence is None else format(record.confidence, form)
