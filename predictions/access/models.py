"""The table of the audit log."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class AddOnly(models.QuerySet["AuditEntry"]):
    """Rows that are neither changed nor deleted."""

    def update(self, **kwargs: Any) -> int:
        raise TypeError("Entries of the audit log are not changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("Entries of the audit log are not deleted.")


class AuditEntry(models.Model):
    """Who did what, and when (`predictions/access/audit.py`). Rows are only ever added."""

    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    # A name, not a key: what somebody did outlives the account. Empty: the system itself.
    actor = models.CharField(_("actor"), max_length=150, blank=True)
    action = models.CharField(_("action"), max_length=32)
    target = models.CharField(_("target"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    objects = AddOnly.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        default_permissions = ("view",)
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Entries of the audit log are not changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("Entries of the audit log are not deleted.")
