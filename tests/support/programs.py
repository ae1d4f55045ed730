"""Programs that tests need and Debian has."""

import os
import shutil

import pytest


def require(program: str, path: str | None = None) -> str:
    """Return where a program is; without it skip the test, or fail it in CI."""
    found = shutil.which(program, path=path)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs {program}")
        pytest.skip(f"needs {program}")
    return found
