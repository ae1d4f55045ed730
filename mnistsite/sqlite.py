"""SQLite's files, for the site's account alone: they hold session keys and password hashes."""

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_FILE = ("", ":memory:")
BESIDE = ("", "-wal", "-shm", "-journal")


class PrivateConnection(sqlite3.Connection):
    """A connection whose database no other account can read.

    SQLite itself would let the umask decide.
    """

    def __init__(self, database: Any, *args: Any, **options: Any) -> None:
        name = os.fspath(database)
        if name not in NO_FILE and not name.startswith("file:"):
            # If the files cannot be changed, SQLite says what is wrong with them, or reads them.
            with suppress(OSError):
                keep_private(Path(name))
        super().__init__(database, *args, **options)


def keep_private(path: Path) -> None:
    """Create a database for its owner alone, or close one that every account could read.

    What SQLite writes beside it gets its mode; what lies there already is closed as well. A mode
    that only a group profits from was chosen, and stays.
    """
    with suppress(FileExistsError):
        # Only a file that is new is opened: closing one would give up this process's locks on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            file = path.with_name(path.name + ending)
            told = file.stat()
            if told.st_uid == os.geteuid() and stat.S_IMODE(told.st_mode) & stat.S_IRWXO:
                file.chmod(0o600)
