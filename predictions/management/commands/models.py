"""`manage.py models`: which model versions there are, and which one serves."""

from typing import Any

from django.core.management import BaseCommand

from predictions.registry import versions


class Command(BaseCommand):
    help = "Lists the model versions, newest first; the active one is marked with a star."

    def handle(self, **options: Any) -> None:
        for version in versions.list_versions():
            validation = version.manifest["metrics"]["validation"]
            columns = [
                f"{'*' if version.active else ' '} {version.number}",
                version.architecture,
                f"{validation['accuracy']:.2%} of {validation['count']:,}",
                f"{version.created_at:%Y-%m-%dT%H:%M:%SZ}",
                version.created_by or "-",
                version.sha256[:12],
            ]
            self.stdout.write("\t".join(columns))
