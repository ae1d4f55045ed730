from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PredictionsConfig(AppConfig):
    name = "predictions"
    verbose_name = _("Predictions")

    def ready(self) -> None:
        from predictions import sign_in  # noqa: F401 - listens
        from predictions.api import schema  # noqa: F401 - registers its own

        # Behind the signal by which Django makes the permissions that the groups hold.
        post_migrate.connect(make_groups, dispatch_uid="predictions.make_groups")


def make_groups(app_config: AppConfig, using: str, **kwargs: Any) -> None:
    """Make the groups viewer, reviewer and operator once; what people change in them stays."""
    from django.contrib.auth.models import Group, Permission

    from predictions.permissions import GROUPS

    if app_config.name != PredictionsConfig.name:
        return
    for name, codenames in GROUPS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            permissions = Permission.objects.using(using).filter(
                content_type__app_label="predictions", codename__in=codenames
            )
            group.permissions.set(permissions)
