"""`manage.py predict`: read pictures from files, folders, or a list on standard input."""

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from tqdm import tqdm

from ml.files.formats import ENDINGS
from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, StoreUnavailable
from predictions.core.records import PredictionRecord
from predictions.management.bulk import Outcome, default_workers, read_files
from predictions.web.json import saved_json, unsaved_json

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
            help="text: tab-separated file, text, status, confidence and text with marks; "
            "json: one object per line",
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
        lines_of = partial(
            _as_json if options["format"] == "json" else _as_text, kept=options["store"]
        )
        with tqdm(total=len(paths), unit=" files", disable=None) as progress, closing(answers):
            try:
                failed = self._print(answers, lines_of, progress)
            except KeyboardInterrupt:
                self.stderr.write(f"Stopped after {progress.n} of {len(paths)} files.")
                sys.exit(INTERRUPTED)
            except StoreUnavailable as error:
                raise CommandError(error.message) from error
            except BrokenProcessPool as error:
                raise CommandError(
                    "A process that reads was ended, perhaps for want of memory: use fewer workers."
                ) from error
        if failed:
            self.stderr.write(f"{failed} of {len(paths)} could not be read.")
            sys.exit(1)

    def _print(
        self,
        answers: Iterable[tuple[Path, Outcome]],
        lines_of: Callable[[Path, Outcome], Iterator[str]],
        progress: "tqdm[Any]",
    ) -> int:
        """Print each outcome as it arrives; return the number of errors."""
        failed = 0
        for path, answer in answers:
            failed += isinstance(answer, PredictionsError)
            with progress.external_write_mode():  # above the bar, in one terminal
                for line in lines_of(path, answer):
                    self.stdout.write(line)
            progress.update()
        return failed


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


def _as_json(path: Path, answer: Outcome, *, kept: bool) -> Iterator[str]:
    if isinstance(answer, PredictionsError):
        yield json.dumps({"file": str(path), **error_body(answer.code, answer.message)})
        return
    for record in answer:
        shown = saved_json(record) if kept else unsaved_json(record)
        yield json.dumps({"file": str(path), **shown}, default=str)


def _as_text(path: Path, answer: Outcome, *, kept: bool) -> Iterator[str]:
    if isinstance(answer, PredictionsError):
        yield f"{path}\t\terror\t{answer.message}"
        return
    for record in answer:
        yield f"{_named(path, record, len(answer))}\t{_words_of(record)}"


def _named(path: Path, record: PredictionRecord, pages: int) -> str:
    return str(path) if pages == 1 else f"{path}#{record.page}"


def _words_of(record: PredictionRecord) -> str:
    confidence = "" if record.confidence is None else f"{record.confidence:.4f}"
    text, marked_text = (t.replace("\n", "|") for t in (record.text, record.marked_text))
    return f"{text}\t{record.status}\t{confidence}\t{marked_text}"
