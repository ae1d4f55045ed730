"""`manage.py models`: list the model versions."""

from typing import Any

from predictions.management.output import SiteCommand
from predictions.management.table import Table, widths_of
from predictions.registry import versions

COLUMNS = ("  version", "architecture", "accuracy", "made", "by", "sha256")


class Command(SiteCommand):
    help = "Lists the model versions, newest first; a star marks the active one."

    def handle(self, **options: Any) -> None:
        rows = [
            [
                f"{'*' if version.active else ' '} {version.number}",
                version.architecture,
                f"damaged: {version.problem}"
                if version.accuracy is None
                else f"{version.accuracy:.2%} of {version.validation['count']:,}",
                f"{version.created_at:%Y-%m-%dT%H:%M:%SZ}",
                version.created_by or "-",
                version.sha256[:12],
            ]
            for version in versions.list_versions()
        ]
        table = Table(self.stdout, widths_of(COLUMNS, rows))
        for row in rows:
            table.row(row)
