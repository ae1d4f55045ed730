"""Measurements of the benchmark of stores."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Any

from django.conf import settings

from benchmarks.store_rows import (
    ACCOUNT,
    ACCOUNTS,
    CORRECTED_EVERY,
    ROWS_A_DAY,
    VERSIONS,
    Rows,
    id_of_number,
    newest_number,
    rows_from,
)
from predictions.core.calendar import day_at, start_of_day
from predictions.core.records import Filters, Status
from predictions.core.terms import MIN_BEGINNING
from predictions.stores.interface import Pair

PAGE = 50
# Inserts before timing starts.
WARM_UP_ROUNDS = 30
# Reads at random positions; the first time, they may come from disk.
RANDOM_READS = ("50 behind a cursor", "one by its id")
INSERT = "insert one"
LOAD = "load (rows)"
SEARCH = "search: "
MOST_MS = 100  # of every search, at the median


def measure(sizes: list[Rows], samples: list[Pair], *, rounds: int) -> None:
    """Time reads of every kind, then inserts, alternating between the sizes.

    All is read twice, the first time from disk unless the rows are cached. Reads at random
    positions are reported for both times, others for the second.
    """
    for suffix in (" the first time", ""):
        rng = random.Random(1)  # noqa: S311 - not for secrets
        for turn in range(rounds):
            where = rng.random()
            for rows in sizes:
                for name, call in _reads(rows, turn, where).items():
                    seconds = _timed(call)
                    if name in RANDOM_READS or not suffix:
                        rows.seconds.setdefault(name + suffix, []).append(seconds)
    added = [rows_from(newest_number(rows.selected()) + 1, samples) for rows in sizes]
    for turn in range(WARM_UP_ROUNDS + rounds):
        for rows, pairs in zip(sizes, added, strict=True):
            seconds = _timed(partial(rows.selected().add, *next(pairs)))
            if turn >= WARM_UP_ROUNDS:
                rows.seconds.setdefault(INSERT, []).append(seconds)


def _reads(rows: Rows, turn: int, where: float) -> dict[str, Callable[[], object]]:
    """Return the reads of a turn; `where`, from 0 to 1, is a position among the rows."""
    store = rows.selected()
    digit = Filters(digit=turn % 10)
    to_review = Filters(status=Status.NEEDS_REVIEW)
    some_id = id_of_number(PAGE + int(where * (rows.count - PAGE)))
    return {
        "latest 50": lambda: store.latest(limit=PAGE),
        "latest 50 with a digit": lambda: store.latest(digit, limit=PAGE),
        "latest 50 to review": lambda: store.latest(to_review, limit=PAGE),
        "50 behind a cursor": lambda: store.latest(cursor=some_id, limit=PAGE),
        "one by its id": lambda: store.get(some_id),
        **{
            name: partial(rows.search, filters, corrected=corrected, limit=PAGE)
            for name, (filters, corrected) in _searches(rows, turn, where).items()
        },
    }


def _searches(rows: Rows, turn: int, where: float) -> dict[str, tuple[Filters, bool | None]]:
    """Return every search that the history offers, for what a row somewhere has.

    Each alone and with others: what is rare, what is common, both, and what is not there.
    """
    number = int(where * (rows.count - 1)) // CORRECTED_EVERY * CORRECTED_EVERY
    row = rows.store.get(id_of_number(number))
    assert row is not None  # noqa: S101
    beginning = row.text[:MIN_BEGINNING]
    day = start_of_day(day_at(row.created_at))
    common = Filters(source=row.source)
    searches: dict[str, tuple[Filters, bool | None]] = {
        "a number": (Filters(number=row.text), None),
        "its beginning": (Filters(number=beginning), None),
        "a file name": (Filters(file_name=row.file_name), None),
        "a word of all file names": (Filters(file_name="scan"), None),
        "who": (Filters(created_by=ACCOUNT.format(turn % ACCOUNTS)), None),
        "a source": (common, None),
        "a model version": (Filters(model_version=row.model_version), None),
        "a day": (Filters(since=day, until=day + timedelta(days=1)), None),
        "corrected": (Filters(), True),
        "not corrected": (Filters(), False),
        "a corrected number": (Filters(number=row.text), True),
        "corrected, of a source and status": (replace(common, status=Status.NEEDS_REVIEW), True),
        "corrected, with a digit, by whom": (
            Filters(digit=turn % 10, created_by=ACCOUNT.format(turn % ACCOUNTS)),
            True,
        ),
        "not corrected, to review": (Filters(status=Status.NEEDS_REVIEW), False),
        "not corrected, of a source": (common, False),
        "a beginning, of a source": (replace(common, number=beginning), None),
        "a digit, a source, a version": (
            replace(common, digit=turn % 10, model_version=turn % VERSIONS),
            None,
        ),
        "a source to review": (replace(common, status=Status.NEEDS_REVIEW), None),
        "what is not there": (replace(common, number=f"{turn:09}"), None),
    }
    return {SEARCH + name: asked for name, asked in searches.items()}


def bytes_a_row(rows: Rows) -> int:
    """Return the bytes per row in Cassandra's largest partition, a full day's shard.

    Uncompressed, as counts for the partition size.
    """
    session: Any = rows.store.session  # type: ignore[attr-defined]  # the Cassandra store's own
    found: int = session.run(
        "SELECT mebibytes FROM system_views.max_partition_size"
        " WHERE keyspace_name = :name AND table_name = 'predictions'",
        {"name": session.keyspace},
    )[0]["mebibytes"]
    in_partition = min(rows.count, ROWS_A_DAY) / settings.CASSANDRA_SHARDS
    return round(found * 1024 * 1024 / in_partition)


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def table(name: str, sizes: list[Rows]) -> str:
    """Format calls per second by size, and the time ratio of the largest to the smallest."""
    counts = " | ".join(f"{rows.count:,} rows" for rows in sizes)
    lines = [f"| {name}, per second | {counts} | time × |", "|---|" + "---:|" * (len(sizes) + 1)]
    for call in sizes[0].seconds:
        medians = [median(rows.seconds[call]) for rows in sizes]
        cells = [f"{1 / value:,.0f} ({value * 1000:.2f} ms)" for value in medians]
        lines.append(f"| {call} | {' | '.join(cells)} | {medians[-1] / medians[0]:.2f} |")
    slow = [
        f"{call} at {rows.count:,} rows"
        for rows in sizes
        for call, seconds in rows.seconds.items()
        if call.startswith(SEARCH) and median(seconds) * 1000 > MOST_MS
    ]
    loaded = [f"{rows.loaded_per_s:,.0f}" if rows.loaded_per_s else "" for rows in sizes]
    lines.append(f"| {LOAD} | {' | '.join(loaded)} | |")
    verdict = f"Over {MOST_MS} ms: {', '.join(slow) or 'no search'}."
    return "\n".join(["", *lines, "", verdict, ""])
