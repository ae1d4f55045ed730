"""Cassandra itself: its jars, fetched from Maven Central once and kept in the user's cache."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.local_cassandra.errors import LocalCassandraError

CASSANDRA_VERSION = "5.0.9"
COORDINATE = f"org.apache.cassandra:cassandra-all:{CASSANDRA_VERSION}"
REQUEST_TIMEOUT_S = 30
DOWNLOADS_AT_ONCE = 8


def cassandra_jars(on_progress: Callable[[str], None]) -> list[Path]:
    """Return Cassandra's jar and all that it needs; fetch them where they are not there yet."""
    kept = _cache_directory() / f"cassandra-{CASSANDRA_VERSION}"
    if not kept.is_dir():
        on_progress(f"Fetching Cassandra {CASSANDRA_VERSION} from Maven Central (once, 70 MB) …")
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Complete or not there at all: a download that was cut off must not look like a jar.
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetching-") as incomplete:
            jars = Path(incomplete) / "jars"
            _fetch(jars)
            if not kept.is_dir():  # another process may have been quicker
                jars.rename(kept)
    return sorted(kept.rglob("*.jar"))


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mnistsite"


def _fetch(directory: Path) -> None:
    from jgo.maven import MavenContext
    from requests import RequestException

    # Not jgo.build: it would fetch a Java of its own to sort jars into modules, which nobody needs.
    maven = MavenContext(repo_cache=directory, timeout=REQUEST_TIMEOUT_S)
    try:
        asked, needed = maven.resolver.resolve([maven.create_dependency(COORDINATE)])
        to_run = [dependency for dependency in needed if dependency.scope in {"compile", "runtime"}]
        artifacts = [dependency.artifact for dependency in [*asked, *to_run]]
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for _ in pool.map(lambda artifact: artifact.resolve(), artifacts):
                pass
    except (RuntimeError, RequestException, OSError) as error:
        raise LocalCassandraError(
            f"Cassandra {CASSANDRA_VERSION} cannot be fetched from Maven Central: {error}. "
            "Is there a way to the internet? It is needed once."
        ) from error
