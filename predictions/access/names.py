"""The name of an account is never used again.

What an account sends is kept under its name and outlives it: another account of that name would see
and delete it. So the names of deleted and renamed accounts are kept, and refused in forms, commands
and shells alike.
"""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils.translation import gettext as _

from predictions.access.models import FormerName


def refuse_former(name: str) -> None:
    """Raise ValidationError if another account had this name."""
    if FormerName.objects.filter(pk=name).exists():
        message = _("An account had this name, and what it sent may still be here. Choose another.")
        raise ValidationError(message, code="former_name")


# For forms and `createsuperuser`, which say it beside the field.
User._meta.get_field("username").validators.append(refuse_former)


@receiver(pre_save, sender=User)
def check_name(sender: Any, instance: Any, raw: bool, update_fields: Any, **kwargs: Any) -> None:
    if raw or (update_fields is not None and "username" not in update_fields):
        return
    names = User.objects.filter(pk=instance.pk).values_list("username", flat=True)
    before = None if instance._state.adding else names.first()
    if before != instance.username:
        refuse_former(instance.username)
        instance._former_name = before


@receiver(post_save, sender=User)
def keep_renamed(sender: Any, instance: Any, **kwargs: Any) -> None:
    before = instance.__dict__.pop("_former_name", None)
    if before is not None:
        FormerName.objects.get_or_create(name=before)


@receiver(post_delete, sender=User)
def keep_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    FormerName.objects.get_or_create(name=instance.username)
