"""Rows that a command prints: in columns on a terminal, tab-separated elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictions.core.printable import printable

GAP = "  "


class Table:
    """Prints rows one by one.

    Parameters
    ----------
    out
        The command's standard output.
    widths
        Of the columns by their names; a longer cell moves the rest of its row.
    """

    def __init__(self, out: Any, widths: Mapping[str, int]) -> None:
        self.out = out
        self.in_columns = bool(out.isatty())
        self.widths = [max(width, len(name)) for name, width in widths.items()]
        if self.in_columns:
            self.row(widths)

    def row(self, cells: Iterable[str]) -> None:
        if not self.in_columns:
            self.out.write("\t".join(map(printable, cells)))
            return
        padded = (
            printable(cell).ljust(width) for cell, width in zip(cells, self.widths, strict=True)
        )
        self.out.write(GAP.join(padded).rstrip())


def widths_of(names: Sequence[str], rows: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return for each column the width that its cells need."""
    columns = zip(*rows, strict=True)
    return {name: max(map(len, column)) for name, column in zip(names, columns, strict=True)}
