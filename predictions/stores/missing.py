"""Whether a store is ready: a site may be installed or upgraded without making its tables."""

from contextlib import suppress

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from predictions.core.errors import StoreUnavailable
from predictions.stores import get_store


def problem_of_store() -> str | None:
    """Return why nothing can be kept at the moment; None if it can."""
    if command := command_for_tables():
        return f"Tables or columns are missing: run manage.py {command}."
    try:
        get_store().ping()
    except StoreUnavailable as error:
        return error.message
    return None


def command_for_tables() -> str | None:
    """Return the command that makes missing tables or columns; None if none is known to miss.

    What does not answer is not known.
    """
    with suppress(Error):
        if not _is_migrated():
            return "migrate"
    with suppress(StoreUnavailable):
        if get_store().lacks_tables():
            return "createkeyspace"
    return None


def _is_migrated() -> bool:
    """Return whether SQL has had all migrations; it may have had those of a newer version."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
