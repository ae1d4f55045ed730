"""Inserts and reads per second of each store, at 10³, 10⁵ and 10⁶ rows.

    nice .venv/bin/python benchmarks/stores.py
    nice .venv/bin/python benchmarks/stores.py --rows 1000 20000 --stores sql

Loading the rows takes a while. They stay in --directory: an interrupted run resumes, and later runs
only measure. Each size has its own database or keyspace. Measurements alternate between the sizes,
so that other load on the machine affects all alike. Cassandra is one local node, or the cluster of
CASSANDRA_CONTACT_POINTS. Prints medians, as in the tables of docs/run/scaling.md.
"""

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django

from tools.local_cassandra import PERIODIC, Cluster, start_cluster

DIRECTORY = Path(__file__).resolve().parent.parent / "build" / "benchmarks"
# Test nodes are tuned for a quick start, this one for throughput.
FOR_SPEED = "-Xms1G -Xmx1G -XX:TieredStopAtLevel=4"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument(
        "--stores", nargs="+", choices=["sql", "cassandra"], default=["sql", "cassandra"]
    )
    parser.add_argument("--rounds", type=int, default=300, help="calls of each kind (300)")
    parser.add_argument("--directory", type=Path, default=DIRECTORY)
    options = parser.parse_args()
    directory = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with cassandra(directory, wanted="cassandra" in options.stores) as cluster:
        os.environ |= {
            **(cluster.environment if cluster else {}),
            "PREDICTION_STORE": "cassandra" if "cassandra" in options.stores else "sql",
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "LOG_LEVEL": "ERROR",
            "VAR_DIR": str(directory),
        }
        django.setup()
        # Imported late: these need the settings.
        from benchmarks.store_figures import bytes_a_row, measure, table
        from benchmarks.store_rows import load, open_store, sample_pairs

        samples = sample_pairs()
        for name in options.stores:
            sizes = [open_store(name, count, directory) for count in options.rows]
            for rows in sizes:
                load(rows, samples)
            measure(sizes, samples, rounds=options.rounds)
            print(table(name, sizes), flush=True)
            if name == "cassandra":
                print(f"A row takes {bytes_a_row(sizes[-1]):,} bytes of its partition.")


def cassandra(directory: Path, *, wanted: bool) -> AbstractContextManager[Cluster | None]:
    """Start a node if one is wanted and no cluster is configured."""
    if not wanted or os.environ.get("CASSANDRA_CONTACT_POINTS"):
        return nullcontext()
    os.environ.setdefault("LOCAL_CASSANDRA_JAVA_OPTIONS", FOR_SPEED)
    return start_cluster(directory / "cassandra", settings=PERIODIC, on_progress=print)


if __name__ == "__main__":
    main()
