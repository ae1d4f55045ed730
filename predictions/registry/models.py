"""The tables of model versions and of their activations."""

from functools import cached_property
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from predictions.registry.manifest import problem_of


class ModelVersion(models.Model):
    """All networks that read pictures, as one, with their metadata.

    Version 0, which ships, has no row; it is active if no row is.
    """

    number = models.PositiveIntegerField(_("number"), primary_key=True)
    architecture = models.CharField(_("architecture"), max_length=64)
    network = models.BinaryField()  # of digits, .tflite
    sha256 = models.CharField(max_length=64)  # of the digit network
    weights = models.BinaryField(null=True)  # .keras, for fine-tuning
    # What reads pages (`predictions.registry.files`); versions before 0009 have the shipped one.
    page_reader = models.BinaryField(null=True)
    answers = models.BinaryField(
        null=True
    )  # two bytes a digit: truth, read (`ml.model.comparison`)
    evaluation_set = models.CharField(_("evaluation set"), max_length=64, blank=True)  # fingerprint
    manifest = models.JSONField(_("manifest"))
    created_at = models.DateTimeField(_("added at"), auto_now_add=True)
    created_by = models.CharField(_("added by"), max_length=150, blank=True)
    active = models.BooleanField(_("active"), default=False)

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        default_permissions = ("view",)
        permissions: ClassVar = [("activate_modelversion", "Can activate model versions")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["active"], condition=models.Q(active=True), name="one_active_model_version"
            ),
            models.CheckConstraint(condition=models.Q(number__gt=0), name="version_0_ships"),
        ]

    def __str__(self) -> str:
        return str(self.number)

    @cached_property
    def problem(self) -> str | None:
        """Why the version cannot be used: its manifest is not one. None if it is."""
        return problem_of(self.manifest)

    @property
    def validation(self) -> dict[str, Any]:
        """The metrics on the validation digits; empty if there is a problem."""
        return {} if self.problem else self.manifest["metrics"]["validation"]

    @property
    def accuracy(self) -> float | None:
        return self.validation.get("accuracy")


class Activation(models.Model):
    """The activation of a model version: when, by whom, instead of which and why; append-only."""

    number = models.PositiveIntegerField(_("model version"))
    replaced = models.PositiveIntegerField(_("in place of"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    by = models.CharField(_("by"), max_length=150, blank=True)
    forced = models.BooleanField(_("forced"))
    reason = models.TextField(_("reason"), blank=True)
    comparison = models.JSONField(
        _("comparison"), null=True
    )  # of `ml.model.comparison`, where there was
    # How both read the pages of the sample (`predictions.registry.page_sample`).
    pages = models.JSONField(_("pages"), null=True)

    class Meta:
        verbose_name = _("activation")
        verbose_name_plural = _("activations")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.replaced} → {self.number}"
