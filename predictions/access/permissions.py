"""Permission rules shared by pages, API and admin."""

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin

from predictions.core.records import PredictionRecord

GROUPS = {
    "viewer": ["view_prediction"],
    "reviewer": ["view_prediction", "review_prediction"],
    "operator": [
        "view_prediction",
        "review_prediction",
        "delete_prediction",
        "activate_modelversion",
        "view_modelversion",
        "view_auditentry",
    ],
}


def is_signed_in(user: AbstractBaseUser | AnonymousUser) -> bool:
    return user.is_authenticated


def may_read(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether a user may upload pictures and see their predictions."""
    return settings.ANONYMOUS_READING or is_signed_in(user)


def may_view_all(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether a user may see predictions of others (`predictions/access/visibility.py`)."""
    if settings.HISTORY_VISIBLE_TO == "everyone" and settings.ANONYMOUS_READING:
        return True
    if settings.HISTORY_VISIBLE_TO == "signed-in" and is_signed_in(user):
        return True
    return _has(user, "predictions.view_prediction")


def may_delete_all(user: AbstractBaseUser | AnonymousUser) -> bool:
    return _has(user, "predictions.delete_prediction")


def may_delete(user: AbstractBaseUser | AnonymousUser, record: PredictionRecord) -> bool:
    """Return whether a user may delete a prediction: anybody may delete their own."""
    return is_own(user, record) or may_delete_all(user)


def is_own(user: AbstractBaseUser | AnonymousUser, record: PredictionRecord) -> bool:
    return is_signed_in(user) and record.created_by == user.get_username()


def may_review(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Return whether a user may correct predictions and work on the review queue."""
    return _has(user, "predictions.review_prediction")


def may_activate(user: AbstractBaseUser | AnonymousUser) -> bool:
    return _has(user, "predictions.activate_modelversion")


def _has(user: AbstractBaseUser | AnonymousUser, permission: str) -> bool:
    return isinstance(user, PermissionsMixin) and user.has_perm(permission)
