"""Cassandra's jars, downloaded from Maven Central once and kept in the user's cache."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.local_cassandra.errors import LocalCassandraError

CASSANDRA_VERSION = "5.0.9"
COORDINATE = f"org.apache.cassandra:cassandra-all:{CASSANDRA_VERSION}"
REQUEST_TIMEOUT_S = 30
MAX_DOWNLOADS = 8


def cassandra_jars(on_progress: Callable[[str], None]) -> list[Path]:
    """Return the jars of Cassandra and its dependencies; download missing ones."""
    kept = _cache_directory() / f"cassandra-{CASSANDRA_VERSION}"
    if not kept.is_dir():
        on_progress(f"Downloading Cassandra {CASSANDRA_VERSION} from Maven Central (once, 70 MB) …")
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Rename at the end, so that an interrupted download is never used.
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="downloading-") as incomplete:
            jars = Path(incomplete) / "jars"
            _download(jars)
            if not kept.is_dir():  # another process may have been faster
                jars.rename(kept)
    return sorted(kept.rglob("*.jar"))


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mnistsite"


def _download(directory: Path) -> None:
    from jgo.maven import MavenContext
    from requests import RequestException

    # Not jgo.build, which would download a Java to sort the jars into modules.
    maven = MavenContext(repo_cache=directory, timeout=REQUEST_TIMEOUT_S)
    try:
        requested, needed = maven.resolver.resolve([maven.create_dependency(COORDINATE)])
        at_runtime = [jar for jar in needed if jar.scope in {"compile", "runtime"}]
        artifacts = [jar.artifact for jar in [*requested, *at_runtime]]
        with ThreadPoolExecutor(MAX_DOWNLOADS) as pool:
            for _ in pool.map(lambda artifact: artifact.resolve(), artifacts):
                pass
    except (RuntimeError, RequestException, OSError) as error:
        raise LocalCassandraError(
            f"Cassandra {CASSANDRA_VERSION} cannot be downloaded from Maven Central: {error}. "
            "Is this machine online? The download is needed once."
        ) from error
