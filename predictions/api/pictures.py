"""The pictures of a prediction, and how one of them is read."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions import services
from predictions.access import visibility
from predictions.api.serializers import ExplanationSerializer, steps_body
from predictions.core.errors import NoPrediction
from predictions.core.records import PictureRecord
from predictions.recognition.previews import png_of

# Pictures never change, but a browser asks each time: whoever uses it may have signed out since.
PICTURE_CACHE_CONTROL = "private, no-cache"


class PictureView(APIView):
    """Base of views that return a picture; errors are JSON as usual."""

    def _picture(self, request: Request, prediction_id: UUID) -> PictureRecord:
        picture = visibility.picture(request.user, prediction_id)
        if picture is None:
            raise NoPrediction
        return picture

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        # Avoid a 406: an <img> accepts image/*, which no renderer of errors produces.
        return super().perform_content_negotiation(request, force=True)


class Preview(PictureView):
    @extend_schema(
        operation_id="predictions_preview",
        summary="A small preview of the picture",
        responses={(200, "image/webp"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, prediction_id: UUID) -> HttpResponse:
        preview = self._picture(request, prediction_id).preview
        if preview is None:
            raise NotFound(_("This prediction has no preview."))
        return _picture_response(preview, "image/webp")


class Explanation(PictureView):
    @extend_schema(
        operation_id="predictions_explanation",
        summary="How the preview is read: each step as a picture, rendered on request",
        responses={200: ExplanationSerializer},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        reading, steps = services.explain(self._picture(request, prediction_id))
        return Response(
            {
                "text": reading.text,
                "marked_text": reading.marked_text,
                "model_version": reading.model_version,
                "explanation": steps_body(steps),
            }
        )


class DigitPicture(PictureView):
    @extend_schema(
        operation_id="predictions_digit",
        summary="What the network saw of one digit: 28×28, ink bright",
        responses={(200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, prediction_id: UUID, position: int) -> HttpResponse:
        glyph = self._picture(request, prediction_id).glyph(position)
        if glyph is None:
            raise NotFound(_("This prediction has no picture of this digit."))
        return _picture_response(png_of(glyph), "image/png")


def _picture_response(content: bytes, content_type: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=content_type, headers={"Cache-Control": PICTURE_CACHE_CONTROL}
    )
