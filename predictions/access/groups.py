from typing import Any

from predictions.access.permissions import GROUPS


def make_groups(using: str, **kwargs: Any) -> None:
    """Create missing groups; leave existing ones as they are."""
    from django.contrib.auth.models import Group, Permission

    for name, codenames in GROUPS.items():
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            permissions = Permission.objects.using(using).filter(
                content_type__app_label="predictions", codename__in=codenames
            )
            group.permissions.set(permissions)
