"""The API of the registry of trained networks."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from predictions import activation, model_versions
from predictions.api.permissions import MayReadAndActivate
from predictions.api.serializers import ErrorSerializer
from predictions.models import Activation, ModelVersion


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


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """A model version with all that is known of it."""

    manifest = serializers.JSONField(
        help_text="Arguments, fingerprints of the data, metrics, software: how it was made."
    )


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

    permission_classes = (MayReadAndActivate,)

    @extend_schema(
        operation_id="models_list",
        summary="All model versions, newest first",
        responses={200: ModelVersionSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        versions = ModelVersionSerializer(
            model_versions.every(),  # type: ignore[arg-type]  # the stubs do not know many=True
            many=True,
        )
        return Response(versions.data)


class ModelVersionDetail(APIView):
    """One trained network."""

    permission_classes = (MayReadAndActivate,)

    @extend_schema(
        operation_id="models_read",
        summary="One model version, with its manifest",
        responses={200: ModelVersionDetailSerializer, 404: ErrorSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        version = model_versions.get(number)
        version.active = number == model_versions.active_number()
        return Response(ModelVersionDetailSerializer(version).data)


class ActivateModelVersion(APIView):
    permission_classes = (MayReadAndActivate,)

    @extend_schema(
        operation_id="models_activate",
        summary="Let a model version serve",
        description="Refused (409) where it reads worse than the active one, or cannot be compared "
        "with it. Going back to an older version is the same.",
        request=SentActivationSerializer,
        responses={
            200: ActivationSerializer,
            400: ErrorSerializer,
            401: ErrorSerializer,
            403: ErrorSerializer,
            404: ErrorSerializer,
            409: ErrorSerializer,
        },
    )
    def post(self, request: Request, number: int) -> Response:
        sent = SentActivationSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        activated = activation.activate(
            number, by=request.user.get_username(), **sent.validated_data
        )
        return Response(ActivationSerializer(activated).data)
