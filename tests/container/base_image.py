"""The Dockerfile's base image, or a stand-in where no registry can be reached."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.container.engine import Engine

DEBIAN = "http://deb.debian.org/debian"
PACKAGES = "ca-certificates,python3,python3-pip"


class BaseImageError(Exception):
    """Neither the image nor a stand-in is available; the message says what is missing."""


def base_image(engine: Engine, dockerfile: Path) -> str:
    """Return an image to build on: the Dockerfile's own if it is here or can be pulled.

    The stand-in is the same Debian with its own Python of the same version. The engine keeps it,
    so it is made once.
    """
    (name,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile.read_text(), re.MULTILINE)
    suite = name.rpartition("-")[2]
    stand_in = f"localhost/python-stand-in:{suite}"
    if engine.has_image(name):
        return str(name)
    if engine.has_image(stand_in):
        return stand_in
    if engine.try_to("pull", name, timeout=600).returncode == 0:
        return str(name)
    if shutil.which("debootstrap") is None:
        raise BaseImageError(f"{name} cannot be pulled, and debootstrap is not installed")
    make_stand_in(engine, suite, stand_in)
    return stand_in


def make_stand_in(engine: Engine, suite: str, tag: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        system, archive = Path(folder, "system"), Path(folder, "system.tar")
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, system, mirror()],
            capture_output=True,
            check=True,
            timeout=900,
        )
        subprocess.run(["tar", "-C", system, "-cf", archive, "."], check=True)
        engine("import", str(archive), tag)


def mirror() -> str:
    """Return the URL of this machine's Debian mirror."""
    addresses = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format=$(REPO_URI)",
            "Created-By: Packages",
            "Label: Debian",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return addresses[0] if addresses else DEBIAN
