"""What Cassandra's nodes were asked, whoever asked, and what must never be asked of them.

The nodes note it themselves, so statements of a real gunicorn are heard like those of this process.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

ENTRY = re.compile(r"^user:.*\|type:\w+\|category:\w+\|.*?operation:", re.MULTILINE)
SELECT = re.compile(
    r"select\s+(?P<what>.+?)\s+from\s+(?:\w+\.)?(?P<table>\w+)(?:\s+where\s+(?P<where>.+))?",
    re.DOTALL,
)


class Notes:
    """The statements of some nodes, read on from where the last look ended."""

    def __init__(self) -> None:
        self._read: dict[Path, int] = {}

    def follow(self, path: Path) -> None:
        self._read.setdefault(path, 0)

    def new(self) -> list[str]:
        """Return the statements noted since the last look, each once."""
        statements: dict[str, None] = {}
        for path, position in self._read.items():
            with path.open("rb") as notes:
                notes.seek(position)
                text = notes.read()
                self._read[path] = notes.tell()
            _, *operations = ENTRY.split(text.decode(errors="replace"))
            statements |= dict.fromkeys(" ".join(operation.split()) for operation in operations)
        return list(statements)


HEARD = Notes()


def objection(cql: str) -> str | None:
    """Say why a statement must not be sent to answer a request, or None where it may."""
    lower = cql.lower()
    if re.search(r"\ballow\s+filtering\b", lower):
        return "filters row by row"
    if re.search(r"\bcount\s*\(", lower):
        return "counts rows"
    select = SELECT.match(lower)
    if select is None or select["table"] not in _tables():
        return None
    return _objection_to_read(_tables()[select["table"]], select["what"], select["where"] or "")


def _objection_to_read(table: Any, what: str, where: str) -> str | None:
    fixed = set(re.findall(r"(\w+)\s*=", where))
    if not set(table._partition_keys) <= fixed:
        return "reads more than one partition"
    one_row = set(table._primary_keys) <= fixed
    if not one_row and not re.search(r"\blimit\b", where):
        return "reads a partition without a limit"
    blobs = {name for name, column in table._columns.items() if column.db_type == "blob"}
    if not one_row and ("*" in what or blobs & set(re.findall(r"\w+", what))):
        return "lists blobs"
    return None


@cache
def _tables() -> dict[str, Any]:
    # Only now: the models bring the driver, which most tests do without.
    from predictions.stores.cassandra.tables import TABLES

    return {table.__table_name__: table for table in TABLES}
