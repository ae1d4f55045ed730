"""Files that have their name only once they are whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path, *, folder: int | None = None, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Yield a file to write to, which gets its own name at the end, or is removed.

    It is made under a name that nobody can guess: under another, whoever may write to its folder
    could have put a link, or a file that he goes on reading.

    Parameters
    ----------
    path
        Its name at the end. What is there is replaced: a link itself, never what it leads to.
    folder
        The descriptor of the directory that ``path`` starts from; default: the current one.
    mode
        As of `os.open`, so the umask applies; default: for its owner alone.

    Raises
    ------
    OSError
        When it cannot be made or written.
    """
    partial = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.replace(partial, path, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=folder)
        raise
