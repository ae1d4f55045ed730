"""manage.py as a process of its own, with an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

KEPT = {"PATH", "HOME", "LANG"}


def manage(var_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with no other settings than those that are given."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=manage_environment(var_dir, **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def manage_environment(var_dir: Path, **environment: str) -> dict[str, str]:
    """Make the environment that `manage` gives."""
    return {
        **{name: value for name, value in os.environ.items() if name in KEPT},
        "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
        "VAR_DIR": str(var_dir),
        **environment,
    }
