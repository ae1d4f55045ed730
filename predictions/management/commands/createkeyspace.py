"""`manage.py createkeyspace`: the keyspace, tables and indexes of the Cassandra store."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError

ASK_EVERY_S = 1.0


class Command(BaseCommand):
    help = (
        "Waits for the Cassandra cluster, then makes the keyspace, tables and indexes that are "
        "missing. A second run changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--timeout", type=float, default=120, help="seconds to wait for the cluster (120)"
        )
        parser.add_argument("--replication-factor", type=int, help="copies of each row")
        parser.add_argument("--datacenter", help="the datacenter that keeps them")
        parser.add_argument(
            "--check", action="store_true", help="only report; fail when something is missing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PREDICTION_STORE != "cassandra":
            raise CommandError(
                "The predictions are kept in SQL. Set PREDICTION_STORE=cassandra to keep them in "
                "Cassandra."
            )
        # Only now: without the engine in INSTALLED_APPS its models cannot be imported.
        from predictions.stores.cassandra_schema import (
            SchemaContradiction,
            Wanted,
            bring_up_to_date,
        )
        from predictions.stores.cassandra_session import cluster_errors

        ((datacenter, copies),) = settings.CASSANDRA_REPLICATION.items()
        wanted = Wanted(
            keyspace=settings.CASSANDRA_KEYSPACE,
            replication={
                options["datacenter"] or datacenter: options["replication_factor"] or copies
            },
            retention_days=settings.RETENTION_DAYS,
        )
        session = self._wait_for_cluster(options["timeout"])
        missing = []
        try:
            with cluster_errors():
                for what in bring_up_to_date(session, wanted, check=options["check"]):
                    missing.append(what)
                    self.stdout.write(f"{'Missing' if options['check'] else 'Made'}: {what}")
        except SchemaContradiction as error:
            raise CommandError(error.message) from error
        if not missing:
            self.stdout.write("Everything is there; nothing was changed.")
        elif options["check"]:
            raise CommandError("Run `manage.py createkeyspace` to make what is missing.")

    def _wait_for_cluster(self, timeout_s: float) -> Any:
        from predictions.errors import StoreUnavailable
        from predictions.stores.cassandra_session import CassandraSession

        session = CassandraSession(settings.CASSANDRA_KEYSPACE)
        deadline = time.monotonic() + timeout_s
        told = False
        while True:
            try:
                return session.connect()
            except StoreUnavailable as error:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    points = settings.DATABASES["cassandra"]["HOST"]
                    raise CommandError(
                        f"No node answered at {points} within {timeout_s:g} s. Is the cluster "
                        "up? See CASSANDRA_CONTACT_POINTS, CASSANDRA_PORT and the logs above."
                    ) from error
                if not told:
                    self.stderr.write("Waiting for the cluster …")
                    told = True
                time.sleep(min(ASK_EVERY_S, left_s))
