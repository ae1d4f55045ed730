"""Request and response bodies of the API; docs/use/api.md documents the fields."""

from typing import Any

from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from ml.digits import MARKS
from ml.files.formats import PICTURES_IN_WORDS
from predictions.core.records import PredictionRecord, ReviewReason, Source, Status
from predictions.recognition.explanations import ShownStep
from predictions.review.corrections import Verdict
from predictions.review.models import Correction
from predictions.web.json import predictions_json, request_origin, saved_json, unsaved_json

SOURCES = [str(source) for source in Source]
CLIENT_SOURCES = [str(Source.API), str(Source.CANVAS), str(Source.PAGE)]  # a client may name
MAX_FILES_PER_BATCH = 1000
STATUSES = [str(status) for status in Status]
REVIEW_REASONS = [str(reason) for reason in ReviewReason]
VERDICTS = [str(verdict) for verdict in Verdict]


def none_of(choices: list[str]) -> dict[str, Any]:
    """Return a choice field's messages, which do not repeat what was sent."""
    message = gettext_lazy("It is none of: {choices}.")
    return {"invalid_choice": format_lazy(message, choices=", ".join(choices))}


class SourceSerializer(serializers.Serializer[Any]):
    """Where a picture comes from; the drawing canvas names itself."""

    source = serializers.ChoiceField(  # type: ignore[assignment]  # pops off Field.source
        choices=CLIENT_SOURCES,
        default=str(Source.API),
        required=False,
        error_messages=none_of(CLIENT_SOURCES),
    )


class FormSerializer(SourceSerializer):
    """What a form says about its file."""

    batch = serializers.CharField(
        min_length=22,
        max_length=100,
        required=False,
        help_text="A secret random text; files sent with the same one are shown in one table.",
    )
    position = serializers.IntegerField(
        min_value=0,
        max_value=MAX_FILES_PER_BATCH - 1,
        default=0,
        required=False,
        help_text="The file's place in its batch.",
    )


class FileSerializer(FormSerializer):
    """A picture as a file, sent in a form."""

    file = serializers.FileField(
        help_text=f"{PICTURES_IN_WORDS}, PDF, or 28×28 numbers as text (CSV)."
    )


@extend_schema_field(
    {
        "type": "array",
        "minItems": 28,
        "maxItems": 28,
        "items": {"type": "array", "minItems": 28, "maxItems": 28, "items": {"type": "number"}},
    }
)
class PixelsField(serializers.Field[Any, Any, Any, Any]):
    """28×28 numbers, which `ml` validates."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class JSONPictureSerializer(SourceSerializer):
    """A picture in JSON, as either `image` or `pixels`."""

    image = serializers.CharField(required=False, help_text="The picture's bytes as base64.")
    pixels = PixelsField(
        required=False,
        help_text="28 rows of 28 numbers, 0–255 (or 0–1 where nothing exceeds 1), either polarity.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("image" in attrs) == ("pixels" in attrs):
            raise serializers.ValidationError(_("Send either “image” or “pixels”."))
        return attrs


class BoxField(serializers.ListField):
    """A bounding box."""

    def __init__(self) -> None:
        super().__init__(
            child=serializers.IntegerField(),
            min_length=4,
            max_length=4,
            help_text="x, y, width, height in pixels of the upright picture.",
        )


class DigitSerializer(serializers.Serializer[Any]):
    digit = serializers.IntegerField(min_value=0, max_value=9)
    confidence = serializers.FloatField()
    probabilities = serializers.ListField(
        child=serializers.FloatField(), min_length=10, max_length=10
    )
    box = BoxField()
    line = serializers.IntegerField(help_text="From 0.")


class MarkSerializer(serializers.Serializer[Any]):
    mark = serializers.ChoiceField(choices=MARKS)
    box = BoxField()
    line = serializers.IntegerField(help_text="From 0.")
    after = serializers.IntegerField(
        allow_null=True,
        help_text="Index of the digit before it, from 0; null at the start of a line.",
    )


class UnsavedPredictionSerializer(serializers.Serializer[PredictionRecord]):
    """A prediction that was not stored."""

    text = serializers.CharField(allow_blank=True, help_text="The lines, joined by newlines.")
    marked_text = serializers.CharField(
        allow_blank=True, help_text="The text with its marks, such as 2.48 or 21/55/60."
    )
    lines = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=STATUSES)
    review_reason = serializers.ChoiceField(
        choices=REVIEW_REASONS, allow_null=True, help_text="null unless the status is needs_review."
    )
    confidence = serializers.FloatField(
        allow_null=True, help_text="Probability that the whole text is right."
    )
    margin = serializers.FloatField(
        allow_null=True, help_text="Smallest gap between a digit's first and second choice."
    )
    digits = DigitSerializer(many=True)
    marks = MarkSerializer(many=True, help_text="Points, commas, dashes, slashes and colons.")
    model_version = serializers.IntegerField()
    source = serializers.ChoiceField(  # type: ignore[assignment]  # as above
        choices=SOURCES
    )
    file_name = serializers.CharField(allow_blank=True)
    file_size = serializers.IntegerField(help_text="Bytes.")
    width = serializers.IntegerField(help_text="Pixels of the upright picture.")
    height = serializers.IntegerField()
    page = serializers.IntegerField(help_text="From 0.")
    created_by = serializers.CharField(allow_null=True)
    duration_ms = serializers.FloatField()


class StepSerializer(serializers.Serializer[Any]):
    """A step of reading, with a title for people."""

    step = serializers.CharField()
    title = serializers.CharField()
    image = serializers.CharField(help_text="A data: URL of a WebP picture.")


class ExplainedSerializer(UnsavedPredictionSerializer):
    """A prediction that was not stored, with its explanation."""

    explanation = StepSerializer(many=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    """How the active model version reads a prediction's preview."""

    text = serializers.CharField(allow_blank=True)
    marked_text = serializers.CharField(allow_blank=True)
    model_version = serializers.IntegerField()
    explanation = StepSerializer(many=True)


class CorrectionSerializer(serializers.Serializer[Correction]):
    verdict = serializers.SerializerMethodField()
    text = serializers.CharField(allow_blank=True)
    by = serializers.CharField()
    at = serializers.DateTimeField()

    @extend_schema_field({"type": "string", "enum": [*VERDICTS, "undo"]})
    def get_verdict(self, correction: Correction) -> str:
        return correction.verdict or "undo"


class PredictionSerializer(UnsavedPredictionSerializer):
    """A stored prediction with its current correction, if any."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    upload = serializers.UUIDField(allow_null=True)
    batch = serializers.UUIDField(allow_null=True)
    position = serializers.IntegerField(help_text="The file's place in its batch, from 0.")
    correction = CorrectionSerializer(allow_null=True)
    url = serializers.URLField()
    preview_url = serializers.URLField(allow_null=True)


class UploadSerializer(serializers.Serializer[Any]):
    """The predictions of a file with several pages."""

    upload = serializers.UUIDField(allow_null=True, help_text="null if nothing was stored.")
    results = PredictionSerializer(many=True, help_text="In page order.")


class PageSerializer(serializers.Serializer[Any]):
    results = PredictionSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page, null at the end.")


class ErrorDetailSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class ErrorSerializer(serializers.Serializer[Any]):
    error = ErrorDetailSerializer()


def errors(*statuses: int) -> dict[int, type[ErrorSerializer]]:
    """Describe errors of one view; `schema.add_common_errors` adds those of every view."""
    return dict.fromkeys(statuses, ErrorSerializer)


PredictedSerializer = PolymorphicProxySerializer(
    component_name="Predicted",
    serializers=[PredictionSerializer, UploadSerializer],
    resource_type_field_name=None,
)


class BatchFilesSerializer(SourceSerializer):
    """Several files in one form."""

    file = serializers.ListField(
        child=serializers.FileField(), help_text="Repeat the field for each file."
    )


class BatchSerializer(serializers.Serializer[Any]):
    """The result of each file, in the order sent."""

    results = serializers.ListField(
        child=PolymorphicProxySerializer(
            component_name="BatchAnswer",
            serializers=[PredictionSerializer, UploadSerializer, ErrorSerializer],
            resource_type_field_name=None,
        )
    )


def explained_body(
    explained: list[tuple[PredictionRecord, list[ShownStep]]], request: HttpRequest | Request
) -> dict[str, Any]:
    """Return the predictions of an upload with the explanation of each page."""
    body = upload_body([record for record, _steps in explained], request, kept=False)
    for result, (_record, steps) in zip(body.get("results", [body]), explained, strict=True):
        result["explanation"] = steps_body(steps)
    return body


def steps_body(steps: list[ShownStep]) -> list[dict[str, Any]]:
    return [dict(StepSerializer(step).data) for step in steps]


def upload_body(
    records: list[PredictionRecord], request: HttpRequest | Request, *, kept: bool, new: bool = True
) -> dict[str, Any]:
    """Return the prediction of an upload, or a list of those of its pages.

    New predictions have no corrections, so none are queried.
    """
    if not kept:
        results = [unsaved_json(record) for record in records]
    elif new:
        origin = request_origin(request)
        results = [saved_json(record, origin) for record in records]
    else:
        results = predictions_json(records, request)
    if len(results) == 1 and records[0].upload is None:
        return results[0]
    return {"upload": str(records[0].upload) if kept else None, "results": results}
