"""Several files in one request, each with its own result."""

from typing import Any

from django.utils.translation import gettext_lazy
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
from predictions.core.error_bodies import error_body
from predictions.core.errors import PredictionsError, StoreUnavailable
from predictions.core.records import Source
from predictions.recognition.uploads import uploads_from_form
from predictions.web.list_params import refuse_unknown

_NO_KEY = gettext_lazy(
    "A batch takes no Idempotency-Key, since each of its files is kept independently. Send each "
    "file to /api/v1/predictions with a key of its own."
)


class PredictionBatch(GenericAPIView[Any]):
    """Read several files independently."""

    serializer_class = BatchFilesSerializer
    parser_classes = (FormParser,)

    def get_view_name(self) -> str:
        return "Batch"

    @extend_schema(
        operation_id="predictions_batch",
        summary="Read several files, each with its own result",
        request={"multipart/form-data": BatchFilesSerializer},
        responses={200: BatchSerializer, **errors(400, 413, 415)},
    )
    def post(self, request: Request) -> Response:
        if "Idempotency-Key" in request.headers:
            raise PredictionsError("idempotency_key_unsupported", str(_NO_KEY))
        refuse_unknown(request.query_params)
        form = SourceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        source = Source(form.validated_data["source"])
        uploads = uploads_from_form(request.FILES, "file")
        results = list(services.predict_batch(uploads, source=source, user=request.user))
        if all(isinstance(result, StoreUnavailable) for result in results):
            raise StoreUnavailable  # nothing was stored, so the client can retry all
        return Response({"results": [_body_of(result, request) for result in results]})


def _body_of(result: Any, request: Request) -> dict[str, Any]:
    if isinstance(result, PredictionsError):
        return error_body(result.code, result.message)
    return upload_body(result, request, kept=True)
