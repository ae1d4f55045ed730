"""What commands print: each write is one line, in which nothing is left that a terminal obeys.

So no name of a file, and no word of an archive, can hide or forge what a command says.
"""

from collections.abc import Callable
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import OutputWrapper
from django.db import Error

from predictions.core.errors import StoreUnavailable, is_outage
from predictions.core.printable import printable
from predictions.stores.missing import command_for_tables

STREAMS = ("stdout", "stderr")


class Output(OutputWrapper):
    """Standard output or error, or a file in its place; tabs stay, since they part columns."""

    def write(  # type: ignore[override]  # as in Django
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        if style_func is None:  # reports of Django's own checks have lines, colours and a style
            msg = printable(msg, kept="\t")
        super().write(msg, style_func, ending)


class SiteCommand(BaseCommand):
    """The base of all commands of the site."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Django sets them in several places.
        super().__setattr__(name, Output(value._out) if name in STREAMS else value)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run; where a database fails, say what to do instead of showing a traceback."""
        try:
            return super().execute(*args, **options)
        except (CommandError, Error) as error:
            cause = error if isinstance(error, Error) else error.__cause__
            if isinstance(cause, Error | StoreUnavailable) and (command := command_for_tables()):
                raise CommandError(
                    f"Tables or columns are missing: run `manage.py {command}`. ({error})"
                ) from error
            if isinstance(error, Error) and is_outage(error):
                raise CommandError(f"The database does not answer: {error}") from error
            raise


def write_lines(write: Callable[[str], object], text: str) -> None:
    """Write a text of our own that has several lines."""
    for line in text.split("\n"):
        write(line)
