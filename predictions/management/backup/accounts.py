"""Groups, accounts with tokens, and former names, as rows; passwords and tokens are hashes."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Q, QuerySet
from knox.models import AuthToken

from predictions.access.models import FormerName, TokenDetails
from predictions.management.backup.rows import (
    Check,
    Values,
    check,
    flag,
    list_of,
    moment,
    optional,
    text,
)

USER_FIELDS: Mapping[str, Check] = {
    "username": text(150, least=1),
    "password": text(128),
    "first_name": text(150),
    "last_name": text(150),
    "email": text(254),
    "is_active": flag,
    "is_staff": flag,
    "is_superuser": flag,
    "date_joined": moment,
    "last_login": optional(moment),
}
NAMES = list_of(text(200, least=1))
GROUP: Mapping[str, Check] = {"name": text(150, least=1), "permissions": NAMES}
USER: Mapping[str, Check] = {
    **USER_FIELDS,
    "groups": NAMES,
    "permissions": NAMES,
    "tokens": list_of(lambda value: isinstance(value, dict)),
}
FORMER_NAME: Mapping[str, Check] = {"name": text(150, least=1)}
TOKEN: Mapping[str, Check] = {
    "digest": text(128, least=1),
    "token_key": text(25),
    "created": moment,
    "expiry": optional(moment),
    "name": text(80),
    "last_used_at": optional(moment),
}


def group_rows() -> Iterator[dict[str, Any]]:
    for group in Group.objects.order_by("name"):
        yield {"name": group.name, "permissions": _names_of(group.permissions.all())}


def user_rows() -> Iterator[dict[str, Any]]:
    for user in User.objects.order_by("pk").iterator(chunk_size=100):
        yield {name: getattr(user, name) for name in USER_FIELDS} | {
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "permissions": _names_of(user.user_permissions.all()),
            "tokens": [
                _token_row(token)
                for token in AuthToken.objects.filter(user=user)
                .select_related("details")
                .order_by("digest")
            ],
        }


def former_name_rows() -> Iterator[dict[str, Any]]:
    for name in FormerName.objects.order_by("name").values_list("name", flat=True):
        yield {"name": name}


def check_former_name(values: Values) -> None:
    check(values, FORMER_NAME)


def check_group(values: Values) -> None:
    check(values, GROUP)


def check_user(values: Values) -> None:
    check(values, USER)
    for token in values["tokens"]:
        check(token, TOKEN)


@transaction.atomic
def restore_group(values: Values) -> bool:
    """Add a group unless there is one of this name; return whether it is new."""
    group, new = Group.objects.get_or_create(name=values["name"])
    if new:
        group.permissions.set(_permissions(values["permissions"]))
    return new


@transaction.atomic
def restore_user(values: Values) -> bool:
    """Add an account with its tokens unless there is one of this name; return whether it is new."""
    if User.objects.filter(username=values["username"]).exists():
        return False
    FormerName.objects.filter(name=values["username"]).delete()  # it is that account again
    user = User(**{name: _from_json(name, values[name]) for name in USER_FIELDS})
    user.save(force_insert=True)
    user.groups.set(Group.objects.filter(name__in=values["groups"]))
    user.user_permissions.set(_permissions(values["permissions"]))
    for told in values["tokens"]:
        row = {name: _from_json(name, value) for name, value in told.items()}
        details = {name: row.pop(name) for name in ("name", "last_used_at")}
        token = AuthToken(user=user, **row)
        token.save_base(raw=True, force_insert=True)  # raw, for `created`
        TokenDetails.objects.create(token=token, **details)
    return True


def restore_former_name(values: Values) -> None:
    FormerName.objects.get_or_create(name=values["name"])


def _token_row(token: AuthToken) -> dict[str, Any]:
    details = getattr(token, "details", None)
    return {
        "digest": token.digest,
        "token_key": token.token_key,
        "created": token.created,
        "expiry": token.expiry,
        "name": "" if details is None else details.name,
        "last_used_at": None if details is None else details.last_used_at,
    }


def _names_of(permissions: QuerySet[Permission]) -> list[str]:
    pairs = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in pairs)


def _permissions(names: list[str]) -> QuerySet[Permission]:
    """Return the permissions of these names that exist here."""
    wanted = Q(pk__in=[])
    for name in names:
        app, _, codename = name.partition(".")
        wanted |= Q(content_type__app_label=app, codename=codename)
    return Permission.objects.filter(wanted)


def _from_json(name: str, value: Any) -> Any:
    is_moment = name in MOMENTS and value is not None
    return datetime.fromisoformat(value) if is_moment else value


MOMENTS = {"date_joined", "last_login", "created", "expiry", "last_used_at"}
