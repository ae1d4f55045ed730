"""Predictions per second of backup, restore and restoring again, and their memory, on each store.

    nice .venv/bin/python benchmarks/backup.py
    nice .venv/bin/python benchmarks/backup.py --rows 2000 --stores sql

Loads the rows into a site of each store, with corrections, and moves them into a new site of the
other one; what it holds then is compared in full: every record, picture and correction.
Cassandra is one local node, or the cluster of CASSANDRA_CONTACT_POINTS.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.stores import cassandra

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "build" / "benchmarks" / "backup"
CORRECTED_EVERY = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument(
        "--stores", nargs="+", choices=["sql", "cassandra"], default=["sql", "cassandra"]
    )
    parser.add_argument("--fill", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fingerprint", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fill:
        fill(options.fill)
    elif options.fingerprint:
        print(fingerprint())
    else:
        measure(options.rows, options.stores)


def measure(rows: int, stores: list[str]) -> None:
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    with cassandra(DIRECTORY, wanted="cassandra" in stores) as cluster:
        environment = {**os.environ, **(cluster.environment if cluster else {})}
        print("| from | into | backup/s | restore/s | again/s | MB | most memory, MB | equal |")
        print("|---|---|--:|--:|--:|--:|--:|---|")
        for source in stores:
            (target,) = [name for name in stores if name != source] or [source]
            print(row_of(source, target, rows, environment), flush=True)


def row_of(source: str, target: str, rows: int, environment: dict[str, str]) -> str:
    here, there = (
        environment
        | {
            "PREDICTION_STORE": store,
            "VAR_DIR": str(DIRECTORY / f"{source}-{end}"),
            "CASSANDRA_KEYSPACE": f"backup_{source}_{end}_{time.time_ns() % 10**9}",
            "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
            "LOG_LEVEL": "ERROR",
        }
        for store, end in ((source, "source"), (target, "target"))
    )
    for site in (here, there):
        run(site, "manage.py", "migrate", "-v0")
        if site["PREDICTION_STORE"] == "cassandra":
            run(site, "manage.py", "createkeyspace")
    run(here, __file__, "--fill", str(rows))
    archive = DIRECTORY / f"{source}.tar.gz"
    seconds, memory = zip(
        *(
            run(site, "manage.py", command, str(archive))
            for site, command in ((here, "backup"), (there, "restore"), (there, "restore"))
        ),
        strict=True,
    )
    size = archive.stat().st_size / 1e6
    first, second = (
        subprocess.check_output([sys.executable, __file__, "--fingerprint"], cwd=ROOT, env=site)
        for site in (here, there)
    )
    speeds = " | ".join(f"{rows / each:,.0f}" for each in seconds)
    equal = "yes" if first == second else "NO"
    return f"| {source} | {target} | {speeds} | {size:,.0f} | {max(memory) / 1e3:,.0f} | {equal} |"


def run(environment: dict[str, str], *command: str) -> tuple[float, int]:
    """Run a program of Python; return the seconds it took and the most memory it had, in kB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    return time.perf_counter() - began, used.ru_maxrss


def fill(rows: int) -> None:
    """Add real readings, and corrections of some, to the site of this process."""
    import django

    django.setup()
    from django.contrib.auth.models import User

    from benchmarks.store_rows import batches, sample_pairs
    from predictions.review import corrections
    from predictions.review.corrections import Verdict
    from predictions.stores import get_store

    User.objects.create_user("ada")
    for batch in batches(0, rows, 500, sample_pairs()):
        get_store().add_many(batch)
        for record, _picture in batch[::CORRECTED_EVERY]:
            corrections.add(record, verdict=Verdict.TEXT, text=record.text, by="ada")


def fingerprint() -> str:
    """Return the SHA-256 of all that this process's site holds."""
    import hashlib

    import django

    django.setup()
    from predictions.core.batches import batched
    from predictions.management.backup.rows import line_of
    from predictions.review.models import Correction
    from predictions.stores import get_store

    digest = hashlib.sha256()
    for records in batched(get_store().export(), 100):
        pictures = get_store().pictures(record.id for record in records)
        corrections = Correction.objects.filter(prediction_id__in=[r.id for r in records])
        of_each = corrections.order_by("prediction_id", "pk")
        for record in records:
            digest.update(line_of((record, pictures[record.id])))
        digest.update(repr(list(of_each.values_list("prediction_id", "text", "by", "at"))).encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
