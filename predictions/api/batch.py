"""Many files in one request, each with its own answer."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from predictions import services
from predictions.api.parsers import FormParser
from predictions.api.serializers import (
    BatchFilesSerializer,
    BatchSerializer,
    SourceSerializer,
    errors,
    upload_body,
)
from predictions.core.errors import PredictionsError, StoreUnavailable
from predictions.core.records import Source
from predictions.recognition.uploads import uploads_from_form
from predictions.web.error_responses import error_body


class PredictionBatch(GenericAPIView[Any]):
    """Send many files; each is read and kept for itself."""

    serializer_class = BatchFilesSerializer
    parser_classes = (FormParser,)

    def get_view_name(self) -> str:
        return "Batch"

    @extend_schema(
        operation_id="predictions_batch",
        summary="Read many files, each with an answer of its own",
        request={"multipart/form-data": BatchFilesSerializer},
        responses={200: BatchSerializer, **errors(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        form = SourceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        source = Source(form.validated_data["source"])
        uploads = uploads_from_form(request.FILES, "file")
        answers = list(services.predict_batch(uploads, source=source, user=request.user))
        if all(isinstance(answer, StoreUnavailable) for answer in answers):
            raise StoreUnavailable  # nothing at all was kept: so it can be sent again as it is
        return Response({"results": [_body_of(answer, request) for answer in answers]})


def _body_of(answer: Any, request: Request) -> dict[str, Any]:
    if isinstance(answer, PredictionsError):
        return error_body(answer.code, answer.message)
    return upload_body(answer, request, kept=True)
