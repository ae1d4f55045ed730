"""`manage.py version`: print the version of the site."""

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand


class Command(BaseCommand):
    help = "Prints the version of the site; --version prints that of Django."

    def handle(self, **options: Any) -> None:
        self.stdout.write(settings.VERSION)
