"""How many predictions a second each store keeps and lists, at 10³, 10⁵ and 10⁶ rows.

    nice .venv/bin/python benchmarks/stores.py
    nice .venv/bin/python benchmarks/stores.py --rows 1000 20000 --stores sql

It loads the rows first, which takes a while. They stay in --directory: an interrupted run goes on
where it was, and the next one only measures. Each size is a database or a keyspace of its own, and
all sizes are measured in turn, so that whatever else the machine does slows each of them alike.
Cassandra is one local node, or the cluster that CASSANDRA_CONTACT_POINTS names. Printed are
medians, as the tables of docs/run/scaling.md.
"""

import argparse
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import django

from tools.local_cassandra import Cluster, start_cluster

DIRECTORY = Path(__file__).resolve().parent.parent / "build" / "benchmarks"
# A node for tests starts quickly and then does no better; this one is to show what it can.
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
        # Only now, since these want the settings.
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
    """Start a node where one is wanted and none is named."""
    if not wanted or os.environ.get("CASSANDRA_CONTACT_POINTS"):
        return nullcontext()
    os.environ.setdefault("LOCAL_CASSANDRA_JAVA_OPTIONS", FOR_SPEED)
    return start_cluster(directory / "cassandra", on_progress=print)


if __name__ == "__main__":
    main()
