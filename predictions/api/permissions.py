from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from predictions.access.permissions import may_read

if TYPE_CHECKING:  # rest_framework.views imports this module, the default permission
    from rest_framework.views import APIView

Rule = Callable[[Any], bool]


def requires(rule: Rule, **rules: Rule) -> type[BasePermission]:
    """Return a permission class that applies `rule`, or the one given for the request's method."""

    class Permission(BasePermission):
        def has_permission(self, request: Request, view: "APIView") -> bool:
            return rules.get(request.method or "", rule)(request.user)

    return Permission


MayRead = requires(may_read)
