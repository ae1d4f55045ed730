"""Query parameters of lists and exports, validated and described by serializers."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.settings import api_settings

from ml.digits import DIGITS
from predictions.core.calendar import in_site_zone, start_of_day
from predictions.core.errors import BadQuery
from predictions.core.ids import day_of
from predictions.core.records import MAX_INT, Filters, Source, Status
from predictions.core.terms import numbers_in

MAX_LIMIT = 200
MAX_SHOWN = 50  # characters of a name that is quoted
ZONE = f"in the site's time zone ({settings.TIME_ZONE})"


# The empty string is what a form submits for an empty field.
@extend_schema_field(
    {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}, {"maxLength": 0}]}
)
class MomentField(serializers.Field[datetime, str, Any, Any]):
    """A date (its midnight) or a date and time, in the site's zone unless it has an offset."""

    default_error_messages: ClassVar = {
        "invalid": gettext_lazy("Use a date or a time, such as 2026-01-31T14:00:00Z.")
    }

    def to_internal_value(self, data: str) -> datetime:
        try:
            # An unencoded plus in a URL arrives as a space: "…T14:00:00 02:00".
            moment = parse_datetime(data.replace(" ", "+"))
            if moment is None and (day := parse_date(data)):
                return start_of_day(day)
        except ValueError:
            moment = None
        if moment is None:
            self.fail("invalid")
        return moment if moment.tzinfo else in_site_zone(moment)


@extend_schema_field(str)
class CursorField(serializers.UUIDField):
    """The id of the last prediction of the previous page."""

    default_error_messages: ClassVar = {
        "invalid": gettext_lazy("This is not a cursor. Start again without one.")
    }

    def to_internal_value(self, data: Any) -> UUID:
        with suppress(BadSignature):  # signed before 0.1.0; remove in 0.2.0
            data = Signer(salt="predictions.cursor").unsign(data)
        cursor = super().to_internal_value(data)
        if day_of(cursor) is None:
            self.fail("invalid")
        return cursor


class FilterParams(serializers.Serializer[Any]):
    digit = serializers.IntegerField(
        required=False, min_value=0, max_value=DIGITS - 1, help_text="Only with this digit."
    )
    status = serializers.ChoiceField(
        required=False,
        choices=[str(status) for status in Status],
        allow_blank=True,
        help_text="Only with this status; empty: all.",
    )
    since = MomentField(
        required=False, help_text=f"Made at this time or later, {ZONE} unless it has an offset."
    )
    until = MomentField(
        required=False, help_text=f"Made before this time, {ZONE} unless it has an offset."
    )

    number = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Only with this number, or with one that begins with these three to eight "
        "digits; several: with each of them.",
    )
    file_name = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text="Only with a file name that has all of these words and numbers.",
    )
    created_by = serializers.CharField(
        required=False, allow_blank=True, max_length=150, help_text="Only by this account."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]  # pops off Field.source
        required=False,
        choices=[str(source) for source in Source],
        allow_blank=True,
        help_text="Only from this source; empty: all.",
    )
    model_version = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_INT,
        help_text="Only read by this model version.",
    )
    corrected = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="true: only with a current correction; false: only without; empty: all.",
    )

    def validate_number(self, number: str) -> str:
        if number and not numbers_in(number):
            raise serializers.ValidationError(_("Use digits, such as 1247."))
        return number

    def validate_file_name(self, file_name: str) -> str:
        if file_name and not Filters(file_name=file_name).terms:
            raise serializers.ValidationError(_("Use a word or a number of the file's name."))
        return file_name

    @classmethod
    def parse(cls, query: Mapping[str, str], *, strict: bool = False) -> Self:
        """Validate a query, in which an empty parameter counts as left out.

        Parameters
        ----------
        query
            All parameters.
        strict
            Whether to refuse unknown ones.

        Raises
        ------
        BadQuery
            If a parameter is invalid, or no time lies in the period; the message names it.
        """
        if strict:
            refuse_unknown(query, cls._declared_fields)
        params = cls(data={name: text for name, text in query.items() if text})
        if not params.is_valid():
            raise BadQuery(
                " ".join(f"“{name}”: {' '.join(errors)}" for name, errors in params.errors.items())
            )
        since, until = params.filters.since, params.filters.until
        if since and until and since >= until:
            raise BadQuery(_("“since” (From) has to be earlier than “until” (Before)."))
        return params

    @property
    def filters(self) -> Filters:
        asked: dict[str, Any] = self.validated_data
        return Filters(
            digit=asked.get("digit"),
            status=Status(asked["status"]) if "status" in asked else None,
            since=asked.get("since"),
            until=asked.get("until"),
            number=asked.get("number"),
            file_name=asked.get("file_name"),
            created_by=asked.get("created_by"),
            source=Source(asked["source"]) if "source" in asked else None,
            model_version=asked.get("model_version"),
        )

    @property
    def wants_corrected(self) -> bool | None:
        corrected: bool | None = self.validated_data["corrected"]
        return corrected


class ListParams(FilterParams):
    cursor = CursorField(required=False, help_text="Where to continue: part of `next`.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_LIMIT)


@dataclass(frozen=True, kw_only=True)
class ListQuery:
    filters: Filters
    corrected: bool | None
    cursor: UUID | None
    limit: int


def parse_list_query(
    query: Mapping[str, str], *, default_limit: int = 50, strict: bool = False
) -> ListQuery:
    params = ListParams.parse(query, strict=strict)
    asked = params.validated_data
    return ListQuery(
        filters=params.filters,
        corrected=params.wants_corrected,
        cursor=asked.get("cursor"),
        limit=asked.get("limit", default_limit),
    )


def parse_flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = query.get(name, "").lower()
    if not text:
        return default
    if text not in {"true", "false", "1", "0"}:
        raise BadQuery(_("“%(name)s” has to be true or false.") % {"name": name})
    return text in {"true", "1"}


def refuse_unknown(query: Mapping[str, str], known: Collection[str] = ()) -> None:
    """Refuse parameters that would be ignored: ``stor=false`` must not keep a picture.

    Parameters
    ----------
    query
        All parameters.
    known
        Names of those that have a meaning, beside ``format``, which the framework takes.

    Raises
    ------
    BadQuery
        If there is another; the message names it, and the one that was probably meant.
    """
    for name in query:
        if name in known or name == api_settings.URL_FORMAT_OVERRIDE:
            continue
        shown = {"name": name[:MAX_SHOWN]}
        for meant in get_close_matches(name[:MAX_SHOWN], known, n=1):
            raise BadQuery(
                _("There is no parameter “%(name)s” here; the closest is “%(meant)s”.")
                % (shown | {"meant": meant})
            )
        raise BadQuery(_("There is no parameter “%(name)s” here.") % shown)
