"""Audit of changes of accounts, groups and tokens, wherever they are made.

Signals say what was changed in a page, in the admin, by a command or in a shell; what `update()`
or SQL changes they do not see. A password's change ends the account's tokens, as Django has it end
the sessions.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from django.contrib.auth.models import Group, Permission, User
from django.db.models import ManyToManyField, Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone
from knox.models import AuthToken

from predictions.access.audit import Action, actor, audit
from predictions.access.tokens import name_of, revoke_tokens

MEMBERSHIP = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}


class Words(NamedTuple):
    """How the log speaks of the rows of a model: what each is called, and what is done to it."""

    name_of: Callable[[Any], str]
    added: Action
    changed: Action
    deleted: Action


def audit_changes(
    model: type[Model], words: Words, *, shown: tuple[str, ...], secret: tuple[str, ...] = ()
) -> None:
    """Audit additions and deletions of a model's rows, and changes of these fields.

    Of secret fields the log says only that they have changed. Rows of a fixture or a backup
    (`raw`) are left to who restores them.
    """

    def look_up(instance: Any, raw: bool, update_fields: Any, using: str, **_: Any) -> None:
        saved = {*shown, *secret}.intersection(update_fields or (*shown, *secret))
        instance._before = None
        if saved and not raw and not instance._state.adding:
            rows = model._base_manager.using(using).filter(pk=instance.pk)
            instance._before = rows.values(*saved).first()

    def audit_save(instance: Any, created: bool, raw: bool, **_: Any) -> None:
        before = instance.__dict__.pop("_before", None) or {}
        if created and not raw:
            details = {name: getattr(instance, name) for name in shown}
            audit(words.added, by=actor(), target=words.name_of(instance), **details)
        after = {name: getattr(instance, name) for name in before}
        changed = {
            name: "changed" if name in secret else [before[name], after[name]]
            for name in (*shown, *secret)
            if name in before and before[name] != after[name]
        }
        if changed:
            audit(words.changed, by=actor(), target=words.name_of(instance), **changed)

    def audit_deletion(instance: Any, **_: Any) -> None:
        audit(words.deleted, by=actor(), target=words.name_of(instance))

    pre_save.connect(look_up, sender=model, weak=False)
    post_save.connect(audit_save, sender=model, weak=False)
    post_delete.connect(audit_deletion, sender=model, weak=False)


def audit_members(field: "ManyToManyField[Any, Any]", words: Words) -> None:
    """Audit what a row gets and loses by a field, such as an account its groups."""

    def audit_change(
        instance: Any, action: str, reverse: bool, model: Any, pk_set: Any, **_: Any
    ) -> None:
        if action not in MEMBERSHIP:
            return
        query = field.name if reverse else field.related_query_name()
        condition = {query: instance} if pk_set is None else {"pk__in": pk_set}
        others = list(model._base_manager.filter(**condition))
        rows, members = (others, [instance]) if reverse else ([instance], others)
        if not members:
            return
        details = {f"{field.name}_{MEMBERSHIP[action]}": sorted(map(_name_of_member, members))}
        for row in rows:
            audit(words.changed, by=actor(), target=words.name_of(row), **details)

    m2m_changed.connect(audit_change, sender=field.remote_field.through, weak=False)


def _name_of_member(member: Group | Permission) -> str:
    return member.codename if isinstance(member, Permission) else member.name


ACCOUNT = Words(
    User.get_username, Action.ACCOUNT_ADDED, Action.ACCOUNT_CHANGED, Action.ACCOUNT_DELETED
)
GROUP = Words(attrgetter("name"), Action.GROUP_ADDED, Action.GROUP_CHANGED, Action.GROUP_DELETED)
audit_changes(User, ACCOUNT, shown=("username", "is_active", "is_staff", "is_superuser"))
audit_changes(Group, GROUP, shown=("name",))
audit_members(User._meta.get_field("groups"), ACCOUNT)
audit_members(User._meta.get_field("user_permissions"), ACCOUNT)
audit_members(Group._meta.get_field("permissions"), GROUP)


@receiver(pre_save, sender=User)
def compare_password(
    sender: Any, instance: Any, raw: bool, update_fields: Any, **kwargs: Any
) -> None:
    """Note whether a save changes the password, and is not Django's own at a sign-in.

    Django then saves the same password as a newer hash, and this field alone.
    """
    hashed_anew = update_fields is not None and instance._password is None
    instance._password_changes = False
    if not (raw or hashed_anew or instance._state.adding):
        stored = User.objects.filter(pk=instance.pk).values_list("password", flat=True).first()
        instance._password_changes = stored != instance.password


@receiver(post_save, sender=User)
def end_tokens(sender: Any, instance: Any, **kwargs: Any) -> None:
    if instance.__dict__.pop("_password_changes", False):
        revoke_tokens(instance, by=actor())
        audit(Action.PASSWORD_CHANGED, by=actor(), target=instance.get_username())


@receiver(post_save, sender=AuthToken)
def audit_new_token(
    sender: Any, instance: AuthToken, created: bool, raw: bool, **kwargs: Any
) -> None:
    if created and not raw:
        until = instance.expiry and instance.expiry.isoformat(timespec="seconds")
        _audit_token(Action.TOKEN_MADE, instance, until=until)


@receiver(post_delete, sender=AuthToken)
def audit_deleted_token(sender: Any, instance: AuthToken, **kwargs: Any) -> None:
    """Audit a token that was valid; others are swept away."""
    if instance.expiry is None or instance.expiry > timezone.now():
        _audit_token(Action.TOKEN_REVOKED, instance)


def _audit_token(action: Action, token: AuthToken, **details: Any) -> None:
    target = token.user.get_username()
    audit(action, by=actor(), target=target, token=name_of(token), **details)
