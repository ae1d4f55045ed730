"""`manage.py makemessages`, which leaves new messages untranslated instead of guessing."""

from django.core.management.commands import makemessages

from predictions.management.output import SiteCommand


class Command(SiteCommand, makemessages.Command):
    msgmerge_options = [  # noqa: RUF012 - as Django has them
        *makemessages.Command.msgmerge_options,
        "--no-fuzzy-matching",
    ]
