from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from predictions.access.tokens import create_token
from predictions.management.output import SiteCommand


class Command(SiteCommand):
    help = "Creates an API token for an account and prints it, only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--days",
            type=int,
            choices=range(1, 3651),
            metavar="N",
            default=settings.TOKEN_LIFETIME.days,
            help="how long it is valid, 1 to 3650 (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no account “{options['username']}”.")
        lifetime = timedelta(days=options["days"])
        token, text = create_token(user, by="command line", lifetime=lifetime)
        self.stderr.write(
            f"Valid until {token.expiry:%Y-%m-%d}. Send it as: Authorization: Token …"
        )
        self.stdout.write(text)
