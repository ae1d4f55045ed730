"""The groups that a new site has."""

from typing import Any

from predictions.access.permissions import GROUPS


def make_groups(using: str, **kwargs: Any) -> None:
    """Make the groups viewer, reviewer and operator once; later changes to them stay."""
    from django.contrib.auth.models import Group, Permission

    for name, codenames in GROUPS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            permissions = Permission.objects.using(using).filter(
                content_type__app_label="predictions", codename__in=codenames
            )
            group.permissions.set(permissions)
