"""`manage.py models`: list the model versions."""

from typing import Any

from django.core.management import BaseCommand

from predictions.registry import versions


class Command(BaseCommand):
    help = "Lists the model versions, newest first; a star marks the active one."

    def handle(self, **options: Any) -> None:
        for version in versions.list_versions():
            columns = [
                f"{'*' if version.active else ' '} {version.number}",
                version.architecture,
                f"damaged: {version.problem}"
                if version.accuracy is None
                else f"{version.accuracy:.2%} of {version.validation['count']:,}",
                f"{version.created_at:%Y-%m-%dT%H:%M:%SZ}",
                version.created_by or "-",
                version.sha256[:12],
            ]
            self.stdout.write("\t".join(columns))
