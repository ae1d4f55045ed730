"""`manage.py predict`: read pictures from files, folders, or a list on standard input."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from tqdm import tqdm

from predictions import services
from predictions.answers import error_body
from predictions.api.serializers import AnswerSerializer, PredictionSerializer
from predictions.errors import UploadRefused
from predictions.records import PredictionRecord, Source
from predictions.uploads import Upload, safe_file_name, too_large

BATCH_SIZE = 32
PICTURE_ENDINGS = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}

Answer = PredictionRecord | UploadRefused


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
            help="text: file, text, status and confidence, tabs between; json: one object a line",
        )
        parser.add_argument("--store", action="store_true", help="keep the predictions")

    def handle(self, *args: Any, **options: Any) -> None:
        paths = list(_expand(options["paths"]))
        failed = 0
        with tqdm(total=len(paths), unit=" pictures", disable=None) as progress:
            for path, answer in _read(paths, store=options["store"]):
                failed += isinstance(answer, UploadRefused)
                line = (_as_json if options["format"] == "json" else _as_text)(
                    path, answer, kept=options["store"]
                )
                with progress.external_write_mode():  # above the bar, in one terminal
                    self.stdout.write(line)
                progress.update()
        if failed:
            self.stderr.write(f"{failed} of {len(paths)} could not be read.")
            sys.exit(1)


def _expand(names: Iterable[str]) -> Iterator[Path]:
    """Name the files meant: a folder's pictures in order, standard input's lines for `-`."""
    for name in names:
        if name == "-":
            yield from (Path(line.rstrip("\n")) for line in sys.stdin if line.strip())
        elif Path(name).is_dir():
            yield from sorted(
                path
                for path in Path(name).rglob("*")
                if path.suffix.lower() in PICTURE_ENDINGS and path.is_file()
            )
        else:
            yield Path(name)


def _read(paths: list[Path], *, store: bool) -> Iterator[tuple[Path, Answer]]:
    remaining = iter(paths)
    while batch := list(islice(remaining, BATCH_SIZE)):
        loaded = [_load(path) for path in batch]
        uploads = [upload for upload in loaded if isinstance(upload, Upload)]
        answers = iter(services.predict_batch(uploads, source=Source.COMMAND, store=store))
        for path, upload in zip(batch, loaded, strict=True):
            yield path, next(answers) if isinstance(upload, Upload) else upload


def _load(path: Path) -> Upload | UploadRefused:
    try:
        if path.stat().st_size > settings.MAX_UPLOAD_BYTES:
            return too_large()
        return Upload(path.read_bytes(), safe_file_name(path.name))
    except OSError as error:
        return UploadRefused("unreadable_file", f"The file cannot be read: {error.strerror}.")


def _as_json(path: Path, answer: Answer, *, kept: bool) -> str:
    if isinstance(answer, UploadRefused):
        return json.dumps({"file": str(path), **error_body(answer.code, answer.message)})
    serializer = PredictionSerializer if kept else AnswerSerializer
    return json.dumps({"file": str(path), **serializer(answer).data}, default=str)


def _as_text(path: Path, answer: Answer, *, kept: bool) -> str:
    if isinstance(answer, UploadRefused):
        return f"{path}\t\terror\t{answer.message}"
    confidence = "" if answer.confidence is None else f"{answer.confidence:.4f}"
    return f"{path}\t{answer.text.replace(chr(10), '|')}\t{answer.status}\t{confidence}"
