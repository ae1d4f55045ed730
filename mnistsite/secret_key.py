"""The secret key: SECRET_KEY, or outside production one that is generated at the first start."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environs import Env


def secret_key(env: Env, path: Path, *, production: bool) -> str:
    key: str = env.str("SECRET_KEY", "")
    if not key and production:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set, and ALLOWED_HOSTS names other hosts than this machine. "
            "Set SECRET_KEY to a long random text that stays the same between starts."
        )
    return key or read_or_create(path)


def read_or_create(path: Path) -> str:
    if not path.exists():
        # Linking a complete file is atomic: of several processes that start together one wins,
        # and none reads half a key. NamedTemporaryFile lets only its owner read it.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".secret_key") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text()
