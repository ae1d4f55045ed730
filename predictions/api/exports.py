"""Export of predictions as a streamed file."""

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from predictions.access import visibility
from predictions.api.serializers import errors
from predictions.exports.files import Format, export
from predictions.exports.responses import export_response
from predictions.web.list_params import FilterParams


class ExportParams(FilterParams):
    format = serializers.ChoiceField(choices=[str(form) for form in Format])
    corrected_only = serializers.BooleanField(
        default=False, help_text="Only predictions with a correction."
    )


class PredictionExport(APIView):
    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        # Here `format` names a file format, not a renderer.
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="predictions_export",
        summary="Predictions and their corrections as a file",
        parameters=[ExportParams],
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/jsonl"): OpenApiTypes.BINARY,
            (200, "application/zip"): OpenApiTypes.BINARY,
            **errors(400),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        params = ExportParams.parse(request.query_params, strict=True)
        form = Format(params.validated_data["format"])
        pieces = export(
            visibility.export(request.user, params.filters, corrected=params.wants_corrected),
            form,
            corrected_only=params.validated_data["corrected_only"],
            request=request,
        )
        return export_response(pieces, form)
