"""`manage.py sendwebhooks`: send what happens to the endpoints of the admin."""

import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from predictions.management.output import SiteCommand
from predictions.webhooks.sender import Sender


class Command(SiteCommand):
    help = "Sends webhooks until it is stopped; any number of them may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="send what is due, each once, and end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, frame: stopping.set())
        Sender().run(stopping, once=options["once"])
