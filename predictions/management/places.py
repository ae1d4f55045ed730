"""The places `done` and `failed` of a watched folder, where a picture lies once it is read.

Whoever may write to the folder may prepare links in it, or put one in place of something meanwhile.
So a place is opened and checked, and then named by its descriptor; nothing follows a link.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ml.new_file import new_file
from predictions.core.errors import PredictionsError


class PlaceRefused(PredictionsError):
    """A place that somebody else may have made."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "place_refused",
            f"{path} is a link, or does not belong to the account that reads the folder. "
            "Remove it: it is made again.",
        )


@contextmanager
def open_place(path: Path) -> Iterator[int]:
    """Open a place, which is made if it is missing, and yield its descriptor.

    Raises
    ------
    PlaceRefused
        If it is no directory of this account.
    """
    with suppress(FileExistsError):
        path.mkdir()
    try:
        place = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise PlaceRefused(path) from error
        raise
    try:
        if os.fstat(place).st_uid != os.geteuid():
            raise PlaceRefused(path)
        yield place
    finally:
        os.close(place)


def open_plain(path: str | Path, *, folder: int | None = None) -> BinaryIO:
    """Open a file for reading; a link is an error, and nothing waits for the writer of a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(path, flags, dir_fd=folder), "rb")


def put_away(picture: Path, place: int, answer: dict[str, Any]) -> None:
    """Move a picture to a place, and write its answer beside it."""
    name = _free_name(place, picture.name, answer)
    with new_file(Path(f"{name}.json"), folder=place, mode=0o666) as file:
        file.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
    os.replace(picture, name, dst_dir_fd=place)


def _free_name(place: int, name: str, answer: dict[str, Any]) -> str:
    """Return a name that no other file has there; the same file again has the same name."""
    stem, dot, ending = name.rpartition(".")
    number, free = 1, name
    while True:
        beside = f"{free}.json"
        if not _exists(place, beside) and not _exists(place, free):
            return free
        try:
            with open_plain(beside, folder=place) as file:
                told = orjson.loads(file.read())
            if answer.get("sha256") and told["sha256"] == answer["sha256"]:
                return free
        except (OSError, ValueError, KeyError, TypeError):
            pass  # another file
        number += 1
        free = f"{stem}-{number}{dot}{ending}"


def _exists(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
