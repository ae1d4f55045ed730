"""The model registry."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from ml.model.comparison import Comparison
from predictions.access.permissions import may_activate, may_read, may_view_all
from predictions.api.parsers import FormParser
from predictions.api.permissions import requires
from predictions.api.serializers import errors
from predictions.registry import activation, versions
from predictions.registry.archives import archive_response, from_archive
from predictions.registry.models import Activation, ModelVersion


class ModelVersionSerializer(serializers.Serializer[ModelVersion]):
    number = serializers.IntegerField(help_text="0 is the bundled network.")
    active = serializers.BooleanField(help_text="Whether new predictions use it.")
    architecture = serializers.CharField()
    sha256 = serializers.CharField(help_text="Of the network file.")
    evaluation_set = serializers.CharField(
        allow_blank=True, help_text="Versions with the same set are directly comparable."
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.SerializerMethodField(
        help_text="Empty for who may not see what others sent."
    )
    accuracy = serializers.FloatField(allow_null=True, help_text="Null if there is a problem.")
    url = serializers.SerializerMethodField()

    def get_created_by(self, version: ModelVersion) -> str:
        return version.created_by if may_view_all(self.context["request"].user) else ""

    @staticmethod
    def get_url(version: ModelVersion) -> str:
        return reverse("api:model", args=[version.number])


class ComparisonSerializer(serializers.Serializer[Comparison]):
    """Comparison with the active version on the same digits (McNemar's exact test)."""

    count = serializers.IntegerField(help_text="Number of digits that both read.")
    only_active = serializers.IntegerField(
        source="only_first", help_text="Digits that only the active version reads correctly."
    )
    only_this = serializers.IntegerField(
        source="only_second", help_text="Digits that only this version reads correctly."
    )
    p_value = serializers.FloatField(
        help_text="Probability of a difference this large if both were equally good."
    )
    reads_worse = serializers.BooleanField(
        source="second_is_worse", help_text="Whether activation is refused without `force`."
    )


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """A model version with its manifest."""

    compared_with_active = ComparisonSerializer(
        allow_null=True,
        source="comparison",
        help_text="Null for the active version and for different evaluation sets.",
    )
    problem = serializers.CharField(
        allow_null=True, help_text="Why the version cannot be used; null if it can."
    )
    manifest = serializers.SerializerMethodField(
        help_text="How it was trained: arguments, data fingerprints, metrics, software. "
        "Null if there is a problem."
    )

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_manifest(self, version: ModelVersion) -> dict[str, Any] | None:
        return None if version.problem else version.manifest

    page_reader = serializers.SerializerMethodField(
        help_text="How each part of what reads pages was trained: `finder`, `lines`, `judgement`. "
        "Null if it is damaged."
    )

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_page_reader(self, version: ModelVersion) -> dict[str, Any] | None:
        return versions.page_manifest_of(version)


class SentArchiveSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="A zip from `models/{number}/archive`.")


class SentActivationSerializer(serializers.Serializer[Any]):
    force = serializers.BooleanField(
        default=False, required=False, help_text="Activate even if it reads worse; needs a reason."
    )
    reason = serializers.CharField(
        default="",
        required=False,
        allow_blank=True,
        max_length=1000,
        help_text="For the record.",
    )


class ActivationSerializer(serializers.ModelSerializer[Activation]):
    class Meta:
        model = Activation
        fields = ("number", "replaced", "at", "by", "forced", "reason", "comparison", "pages")


class ModelVersions(APIView):
    permission_classes = (requires(may_read, POST=may_activate),)
    parser_classes = (FormParser,)

    @extend_schema(
        operation_id="models_list",
        summary="List model versions, newest first",
        responses={200: ModelVersionSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        serializer = ModelVersionSerializer(
            versions.list_versions(),  # type: ignore[arg-type]  # the stubs do not know many=True
            many=True,
            context={"request": request},
        )
        return Response(serializer.data)

    @extend_schema(
        operation_id="models_import",
        summary="Import a model version",
        description="It was exported on this or another site, and is unused until activated.",
        request={"multipart/form-data": SentArchiveSerializer},
        responses={201: ModelVersionDetailSerializer, **errors(400, 409, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        archive = SentArchiveSerializer(data=request.data)
        archive.is_valid(raise_exception=True)
        file = archive.validated_data["file"]
        version = versions.register(from_archive(file, file.name), by=request.user.get_username())
        url = reverse("api:model", args=[version.number])
        body = _detail_of(version, request)
        return Response(body, status=status.HTTP_201_CREATED, headers={"Location": url})


class ModelVersionDetail(APIView):
    permission_classes = (requires(may_read, DELETE=may_activate),)

    @extend_schema(
        operation_id="models_read",
        summary="One model version with its manifest",
        responses={200: ModelVersionDetailSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_detail_of(versions.get(number), request))

    @extend_schema(
        operation_id="models_delete",
        summary="Delete a model version that was never active",
        description="Refused (409) if it ships with the site, or is or was active: predictions "
        "may name it.",
        responses={204: None, **errors(409)},
    )
    def delete(self, request: Request, number: int) -> Response:
        versions.delete(number, by=request.user.get_username())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ModelVersionArchive(APIView):
    permission_classes = (requires(may_activate),)

    @extend_schema(
        operation_id="models_export",
        summary="Export a model version for another site",
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **errors(409)},
    )
    def get(self, request: Request, number: int) -> HttpResponse:
        return archive_response(versions.get(number))


class ActivateModelVersion(APIView):
    permission_classes = (requires(may_read, POST=may_activate),)

    @extend_schema(
        operation_id="models_activate",
        summary="Activate a model version",
        description="Refused (409) if it reads worse than the active version or cannot be compared "
        "with it. A rollback works the same way.",
        request=SentActivationSerializer,
        responses={200: ActivationSerializer, **errors(400, 409)},
    )
    def post(self, request: Request, number: int) -> Response:
        body = SentActivationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        activated = activation.activate(
            number, by=request.user.get_username(), **body.validated_data
        )
        return Response(ActivationSerializer(activated).data)


def _detail_of(version: ModelVersion, request: Request) -> dict[str, Any]:
    all_versions = versions.list_versions()
    version.active = any(other.active for other in all_versions if other.number == version.number)
    comparison = activation.compare_with_active(all_versions).get(version.number)
    version.comparison = comparison  # type: ignore[attr-defined]  # for the serializer
    return dict(ModelVersionDetailSerializer(version, context={"request": request}).data)
