"""The secret key of the local default: made once, kept in a file that only its owner can read."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path


def read_or_make_secret_key(path: Path) -> str:
    if not path.exists():
        # Written whole under another name, then linked: of several processes that start together
        # one wins, and none ever reads half a key.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".secret_key") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()
