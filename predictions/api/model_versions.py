"""The API of the registry of trained networks."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from ml.model.comparison import Comparison
from predictions.access.permissions import may_activate, may_read
from predictions.api.parsers import FormParser
from predictions.api.permissions import requires
from predictions.api.serializers import errors
from predictions.registry import activation, versions
from predictions.registry.archives import download, from_archive
from predictions.registry.models import Activation, ModelVersion


class ModelVersionSerializer(serializers.Serializer[ModelVersion]):
    """A model version in a list."""

    number = serializers.IntegerField(help_text="0 is the network that ships.")
    active = serializers.BooleanField(help_text="Whether it serves.")
    architecture = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the network.")
    evaluation_set = serializers.CharField(
        allow_blank=True, help_text="Two versions with the same can be compared as they are."
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_blank=True)
    accuracy = serializers.FloatField(source="manifest.metrics.validation.accuracy")
    url = serializers.SerializerMethodField()

    @staticmethod
    def get_url(version: ModelVersion) -> str:
        return reverse("api:model", args=[version.number])


class ComparisonSerializer(serializers.Serializer[Comparison]):
    """How a version differs from the active one on the same digits (McNemar's exact test)."""

    count = serializers.IntegerField(help_text="So many digits both read.")
    only_active = serializers.IntegerField(
        source="only_first", help_text="So many of them only the active one reads right."
    )
    only_this = serializers.IntegerField(
        source="only_second", help_text="So many of them only this one reads right."
    )
    p_value = serializers.FloatField(
        help_text="How often chance alone would part them so far, were they equally good."
    )
    reads_worse = serializers.BooleanField(
        source="second_is_worse", help_text="Whether the gate refuses it."
    )


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """A model version with all that is known of it."""

    compared_with_active = ComparisonSerializer(
        allow_null=True,
        source="comparison",
        help_text="Null for the active one, and where both read different digits.",
    )
    manifest = serializers.JSONField(
        help_text="Arguments, fingerprints of the data, metrics, software: how it was made."
    )


class SentArchiveSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="A zip as `models/{number}/archive` gives it.")


class SentActivationSerializer(serializers.Serializer[Any]):
    """How the gate is to be passed."""

    force = serializers.BooleanField(
        default=False, required=False, help_text="Also where it reads worse; needs a reason."
    )
    reason = serializers.CharField(
        default="", required=False, allow_blank=True, max_length=1000, help_text="For the record."
    )


class ActivationSerializer(serializers.ModelSerializer[Activation]):
    class Meta:
        model = Activation
        fields = ("number", "replaced", "at", "by", "forced", "reason", "comparison")


class ModelVersions(APIView):
    """The trained networks of this site."""

    permission_classes = (requires(may_read, POST=may_activate),)
    parser_classes = (FormParser,)

    @extend_schema(
        operation_id="models_list",
        summary="All model versions, newest first",
        responses={200: ModelVersionSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        serializer = ModelVersionSerializer(
            versions.list_versions(),  # type: ignore[arg-type]  # the stubs do not know many=True
            many=True,
        )
        return Response(serializer.data)

    @extend_schema(
        operation_id="models_import",
        summary="Add a model version from a file",
        description="One that was exported, here or on another site. It is a candidate: nothing "
        "serves it until it is activated.",
        request={"multipart/form-data": SentArchiveSerializer},
        responses={201: ModelVersionDetailSerializer, **errors(400, 409, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        sent = SentArchiveSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        file = sent.validated_data["file"]
        version = versions.register(from_archive(file, file.name), by=request.user.get_username())
        address = reverse("api:model", args=[version.number])
        body = _detail_of(version)
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": address})


class ModelVersionDetail(APIView):
    """One trained network."""

    permission_classes = (requires(may_read, POST=may_activate),)

    @extend_schema(
        operation_id="models_read",
        summary="One model version, with its manifest",
        responses={200: ModelVersionDetailSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_detail_of(versions.get(number)))


class ModelVersionArchive(APIView):
    permission_classes = (requires(may_activate),)

    @extend_schema(
        operation_id="models_export",
        summary="A model version as one file, for another site",
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **errors(409)},
    )
    def get(self, request: Request, number: int) -> HttpResponse:
        return download(versions.get(number))


class ActivateModelVersion(APIView):
    permission_classes = (requires(may_read, POST=may_activate),)

    @extend_schema(
        operation_id="models_activate",
        summary="Let a model version serve",
        description="Refused (409) where it reads worse than the active one, or cannot be compared "
        "with it. Going back to an older version is the same.",
        request=SentActivationSerializer,
        responses={200: ActivationSerializer, **errors(400, 409)},
    )
    def post(self, request: Request, number: int) -> Response:
        sent = SentActivationSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        activated = activation.activate(
            number, by=request.user.get_username(), **sent.validated_data
        )
        return Response(ActivationSerializer(activated).data)


def _detail_of(version: ModelVersion) -> dict[str, Any]:
    every = versions.list_versions()
    version.active = any(other.active for other in every if other.number == version.number)
    comparison = activation.compare_with_active(every).get(version.number)
    version.comparison = comparison  # type: ignore[attr-defined]  # for the serializer
    return dict(ModelVersionDetailSerializer(version).data)
