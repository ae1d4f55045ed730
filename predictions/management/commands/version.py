"""`manage.py version`: print the version of the site."""

from typing import Any

from django.conf import settings

from predictions.management.output import SiteCommand


class Command(SiteCommand):
    help = "Prints the version of the site; --version prints that of Django."

    def handle(self, **options: Any) -> None:
        self.stdout.write(settings.VERSION)
