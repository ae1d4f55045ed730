"""The site's settings with a separate VAR_DIR, and static files that need no collectstatic."""

import os
from pathlib import Path

os.environ["VAR_DIR"] = str(Path(__file__).resolve().parent.parent / "var" / "tests")

from mnistsite.settings import *  # noqa: F403
from mnistsite.settings import STORAGES, VAR_DIR

STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, for tests only
