from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = _("Predictions")

    def ready(self) -> None:
        from predictions.access import changes, names, sign_in  # noqa: F401 - connect receivers
        from predictions.access.groups import make_groups
        from predictions.api import schema  # noqa: F401 - registers its extension
        from predictions.webhooks import changes as endpoint_changes  # noqa: F401 - as above

        # After the receiver by which Django makes the permissions that the groups hold.
        post_migrate.connect(make_groups, sender=self, dispatch_uid="predictions.make_groups")
