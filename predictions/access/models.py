from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken


class AppendOnly(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> int:
        raise TypeError("The audit log is append-only.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit log is append-only.")


class TokenDetails(models.Model):
    """What knox's tokens lack: a name, and when it was last used."""

    token = models.OneToOneField(
        AuthToken, models.CASCADE, primary_key=True, related_name="details"
    )
    name = models.CharField(max_length=80, blank=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class FormerName(models.Model):
    """The name of an account that was deleted or renamed (`predictions/access/names.py`)."""

    name = models.CharField(max_length=150, primary_key=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """Who did what and when (`predictions/access/audit.py`). Append-only."""

    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    # A name, not a key: entries outlive the account. Empty for the system.
    actor = models.CharField(_("actor"), max_length=150, blank=True)
    action = models.CharField(_("action"), max_length=32)
    target = models.CharField(_("target"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    objects = AppendOnly.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        default_permissions = ("view",)
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The audit log is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The audit log is append-only.")
