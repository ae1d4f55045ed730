from typing import Any

from predictions.access.permissions import GROUPS


def make_groups(using: str, **kwargs: Any) -> None:
    """Create missing groups; leave existing ones as they are.

    In bulk, and so without the signals that audit: of the log there may be no table yet.
    """
    from django.contrib.auth.models import Group, Permission

    there = set(Group.objects.using(using).values_list("name", flat=True))
    held = Group.permissions.through.objects.using(using)
    for name in GROUPS.keys() - there:
        (group,) = Group.objects.using(using).bulk_create([Group(name=name)])
        permissions = Permission.objects.using(using).filter(
            content_type__app_label="predictions", codename__in=GROUPS[name]
        )
        held.bulk_create([held.model(group=group, permission=each) for each in permissions])
