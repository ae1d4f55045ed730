"""`manage.py createkeyspace`: the keyspace, tables and indexes of the Cassandra store."""

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.management import CommandError
from django.db import connection

from predictions.management.output import SiteCommand
from predictions.review import corrections
from predictions.review.models import Correction

ASK_EVERY_S = 1.0
TELL_EVERY_S = 10.0

T = TypeVar("T")


class Command(SiteCommand):
    help = (
        "Waits for the Cassandra cluster, then creates missing keyspaces, tables and indexes, and "
        "makes older predictions searchable. Running it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--timeout", type=float, default=120, help="seconds to wait for the cluster (120)"
        )
        parser.add_argument(
            "--replication-factor", type=int, help="the number of copies of each row"
        )
        parser.add_argument("--datacenter", help="the datacenter of the copies")
        parser.add_argument(
            "--check", action="store_true", help="only report, and fail if something is missing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PREDICTION_STORE != "cassandra":
            raise CommandError(
                "The predictions are kept in SQL. Set PREDICTION_STORE=cassandra to keep them in "
                "Cassandra."
            )
        # Only now: without the engine in INSTALLED_APPS its models cannot be imported.
        from predictions.stores.cassandra.indexing import add_missing_marks, add_missing_terms
        from predictions.stores.cassandra.schema import (
            SchemaContradiction,
            Wanted,
            bring_up_to_date,
        )
        from predictions.stores.cassandra.session import CassandraSession
        from predictions.stores.cassandra.store import CassandraStore

        ((datacenter, copies),) = settings.CASSANDRA_REPLICATION.items()
        wanted = Wanted(
            keyspace=settings.CASSANDRA_KEYSPACE,
            replication={
                options["datacenter"] or datacenter: options["replication_factor"] or copies
            },
            retention_days=settings.RETENTION_DAYS,
        )
        deadline = time.monotonic() + options["timeout"]
        missing: dict[str, None] = {}

        def make() -> None:
            report(bring_up_to_date(session, wanted, check=options["check"]))
            if not (options["check"] and missing):  # otherwise its tables may be missing
                store = CassandraStore(CassandraSession(wanted.keyspace))
                report(add_missing_terms(store, check=options["check"]))
                report(add_missing_marks(store, _corrected_ids(), check=options["check"]))

        def report(changes: Iterable[str]) -> None:
            for what in changes:
                if what not in missing:
                    self.stdout.write(f"{'Missing' if options['check'] else 'Made'}: {what}")
                missing[what] = None

        try:
            session = self._insist(CassandraSession(wanted.keyspace).connect, deadline)
            # Made changes stay, so the rest can be made later where the cluster is slow.
            self._insist(make, deadline)
        except SchemaContradiction as error:
            raise CommandError(error.message) from error
        if not missing:
            self.stdout.write("Everything is there; nothing was changed.")
        elif options["check"]:
            raise CommandError("Run `manage.py createkeyspace` to make what is missing.")

    def _insist(self, ask: Callable[[], T], deadline: float) -> T:
        """Retry until the cluster answers or the deadline passes."""
        from predictions.core.errors import StoreUnavailable
        from predictions.stores.cassandra.session import cluster_errors

        tell_at = time.monotonic()
        reason: BaseException | str = "no answer"
        while True:
            try:
                with cluster_errors():
                    return ask()
            except StoreUnavailable as error:
                reason = error.__cause__ or reason
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    points = settings.DATABASES["cassandra"]["HOST"]
                    raise CommandError(
                        f"No node let us in at {points} in time: {reason}. Is the cluster up? See "
                        "--timeout, CASSANDRA_CONTACT_POINTS, CASSANDRA_PORT, CASSANDRA_USERNAME, "
                        "CASSANDRA_PASSWORD, CASSANDRA_CA_FILE and CASSANDRA_CERT_FILE."
                    ) from error
                if time.monotonic() >= tell_at:
                    self.stderr.write(
                        f"Waiting for the cluster, {left_s:.0f} s at most: {reason} …"
                    )
                    tell_at += TELL_EVERY_S
                time.sleep(min(ASK_EVERY_S, left_s))


def _corrected_ids() -> Iterator[UUID]:
    """Yield which predictions SQL says are corrected: none before its tables are made."""
    if Correction._meta.db_table in connection.introspection.table_names():
        yield from corrections.corrected_ids()
