"""The CQL that Cassandra nodes ran, and the rules that a statement must not break.

The nodes log it themselves, so a gunicorn's statements are seen as well as this process's.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

LOG_ENTRY = re.compile(r"^user:.*\|type:\w+\|category:\w+\|.*?operation:", re.MULTILINE)
SELECT = re.compile(
    r"select\s+(?P<columns>.+?)\s+from\s+(?:\w+\.)?(?P<table>\w+)(?:\s+where\s+(?P<where>.+))?",
    re.DOTALL,
)


class StatementLog:
    """The statement logs of some nodes, read incrementally."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}

    def follow(self, path: Path) -> None:
        self._read.setdefault(path, 0)

    def read_new(self) -> list[str]:
        """Return the distinct statements logged since the last call."""
        statements: dict[str, None] = {}
        for path, position in self._read.items():
            with path.open("rb") as file:
                file.seek(position)
                text = file.read()
                self._read[path] = file.tell()
            _, *operations = LOG_ENTRY.split(text.decode(errors="replace"))
            statements |= dict.fromkeys(" ".join(operation.split()) for operation in operations)
        return list(statements)


CQL_LOG = StatementLog()


def why_forbidden(cql: str) -> str | None:
    """Return why a statement must not serve a request, or None if it may."""
    lower = cql.lower()
    if re.search(r"\ballow\s+filtering\b", lower):
        return "filters row by row"
    if re.search(r"\bcount\s*\(", lower):
        return "counts rows"
    select = SELECT.match(lower)
    if select is None or select["table"] not in _tables():
        return None
    return _why_read_is_forbidden(
        _tables()[select["table"]], select["columns"], select["where"] or ""
    )


def _why_read_is_forbidden(table: Any, columns: str, where: str) -> str | None:
    fixed = set(re.findall(r"(\w+)\s*=", where))
    if not set(table._partition_keys) <= fixed:
        return "reads more than one partition"
    one_row = set(table._primary_keys) <= fixed
    if not one_row and not re.search(r"\blimit\b", where):
        return "reads a partition without a limit"
    blobs = {name for name, column in table._columns.items() if column.db_type == "blob"}
    if not one_row and ("*" in columns or blobs & set(re.findall(r"\w+", columns))):
        return "lists blobs"
    return None


@cache
def _tables() -> dict[str, Any]:
    # Imported late: most tests run without the driver, which the models import.
    from predictions.stores.cassandra.tables import TABLES

    return {table.__table_name__: table for table in TABLES}
