"""manage.py in a subprocess with a clean environment."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

INHERITED = {"PATH", "HOME", "LANG"}


def manage(var_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with no settings but those given."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=manage_environment(var_dir, **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def manage_environment(var_dir: Path, **environment: str) -> dict[str, str]:
    """Return the environment in which `manage` runs a command."""
    return {
        **{name: value for name, value in os.environ.items() if name in INHERITED},
        "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
        "VAR_DIR": str(var_dir),
        **environment,
    }
