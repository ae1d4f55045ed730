"""The API of exports: predictions as a file that is made while it is sent."""

from copy import copy
from itertools import chain

from django.http import QueryDict, StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from predictions.api.permissions import MayViewAll
from predictions.api.schema import FILTERS
from predictions.api.serializers import ErrorSerializer
from predictions.core.errors import BadQuery
from predictions.exports.files import CONTENT_TYPES, FILE_NAMES, Format, export
from predictions.web.list_params import parse_flag, parse_list_query


class PredictionExport(APIView):
    permission_classes = (MayViewAll,)

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        # Here `format` names a file's, not a renderer's.
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="predictions_export",
        summary="Predictions and their corrections as a file",
        parameters=[
            OpenApiParameter("format", str, enum=[str(form) for form in Format], required=True),
            OpenApiParameter("corrected_only", bool, description="Only what somebody corrected."),
            *FILTERS,
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/jsonl"): OpenApiTypes.BINARY,
            (200, "application/zip"): OpenApiTypes.BINARY,
            400: ErrorSerializer,
            401: ErrorSerializer,
            403: ErrorSerializer,
            503: ErrorSerializer,
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        try:
            form = Format(request.query_params.get("format", ""))
        except ValueError as error:
            raise BadQuery(
                _("“format” has to be one of %(choices)s.") % {"choices": ", ".join(Format)}
            ) from error
        pieces = export(
            parse_list_query(request.query_params).filters,
            form,
            corrected_only=parse_flag(request.query_params, "corrected_only", default=False),
            request=_without_query(request),
        )
        # A store that does not answer is said while that is possible: before the first byte.
        first = next(pieces, b"")
        name = FILE_NAMES[form]
        return StreamingHttpResponse(
            chain([first], pieces),
            content_type=CONTENT_TYPES[form],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _without_query(request: Request) -> Request:
    """Leave `format` behind: it would stand in every address in the file."""
    bare = copy(request._request)
    bare.GET = QueryDict()
    return Request(bare)
