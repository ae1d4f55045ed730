from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from predictions.access.permissions import (
    may_activate,
    may_delete,
    may_read,
    may_review,
    may_view_all,
)

if TYPE_CHECKING:  # rest_framework.views imports this module, the default permission
    from rest_framework.views import APIView


class MayRead(BasePermission):
    """Everybody where anonymous reading is on, else who may view predictions."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return may_read(request.user)


class MayReadAndDelete(MayRead):
    """As MayRead; and who deletes needs the permission for it."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method == "DELETE":
            return may_delete(request.user)
        return super().has_permission(request, view)


class MayReview(BasePermission):
    """Who may say what a picture shows."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return may_review(request.user)


class MayReadAndActivate(MayRead):
    """As MayRead; and who lets another model version serve needs the permission for it."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if request.method == "POST":
            return may_activate(request.user)
        return super().has_permission(request, view)


class MayActivate(BasePermission):
    """Who may let another model version serve may carry versions from site to site, too."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return may_activate(request.user)


class MayViewAll(BasePermission):
    """Who may see what others sent."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return may_view_all(request.user)
