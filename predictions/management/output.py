"""What commands print: each write is one line, in which nothing is left that a terminal obeys.

So no name of a file, and no word of an archive, can hide or forge what a command says.
"""

from collections.abc import Callable, Iterator
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
            if command := _command_for(error):
                raise CommandError(
                    f"Tables or columns are missing: run `manage.py {command}`. ({error})"
                ) from error
            if isinstance(error, Error) and is_outage(error):
                raise CommandError(f"The database does not answer: {error}") from error
            raise


def _command_for(error: CommandError | Error) -> str | None:
    """Return the command that makes the tables for want of which another failed, if it did so."""
    causes = list(_causes(error))
    if not any(isinstance(cause, Error | StoreUnavailable) for cause in causes):
        return None
    command = command_for_tables()
    # A cluster that does not answer says nothing about SQL.
    of_sql = any(isinstance(cause, Error) for cause in causes)
    return command if of_sql or command != "migrate" else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def write_lines(write: Callable[[str], object], text: str) -> None:
    """Write a text of our own that has several lines."""
    for line in text.split("\n"):
        write(line)
