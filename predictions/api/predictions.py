"""Reading, listing and deleting predictions: parse the request, call a service, respond."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import DataAndFiles
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import is_signed_in, may_delete, may_read
from predictions.api import plain
from predictions.api.parsers import FILE_BODY_PARSERS, FormParser, UTF8JSONParser
from predictions.api.permissions import requires
from predictions.api.serializers import (
    ExplainedSerializer,
    FileSerializer,
    FormSerializer,
    JSONPictureSerializer,
    PageSerializer,
    PredictedSerializer,
    PredictionSerializer,
    errors,
    explained_body,
    upload_body,
)
from predictions.core.errors import BadQuery, NoPrediction
from predictions.core.records import Source
from predictions.recognition.uploads import Upload, batch_of, upload_from_base64, upload_from_form
from predictions.services.idempotency import owner_of
from predictions.web.json import prediction_json, predictions_json
from predictions.web.list_params import ListParams, parse_flag, parse_list_query, refuse_unknown

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

FLAGS = ("store", "explain")  # query parameters of an upload


class JSONResult(NamedTuple):
    body: dict[str, Any]
    status: int = status.HTTP_200_OK
    headers: dict[str, str] = {}  # noqa: RUF012 - never modified


class PredictionList(GenericAPIView[Any]):
    """Read a picture of handwritten digits, or list predictions."""

    serializer_class = FileSerializer
    parser_classes = (FormParser, UTF8JSONParser, *FILE_BODY_PARSERS)
    field = "file"
    source: Source | None = None  # from the request unless the URL implies it

    def get_view_name(self) -> str:
        return "Predictions"

    @extend_schema(
        operation_id="predictions_list",
        summary="List predictions, newest first",
        parameters=[ListParams],
        responses={200: PageSerializer, **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = parse_list_query(request.query_params, strict=True)
        page = visibility.latest(
            request.user,
            query.filters,
            corrected=query.corrected,
            cursor=query.cursor,
            limit=query.limit,
        )
        next_url = None
        if page.next is not None:
            url = request.build_absolute_uri()
            next_url = replace_query_param(url, "cursor", str(page.next))
        return Response({"results": predictions_json(page.records, request), "next": next_url})

    @extend_schema(
        operation_id="predictions_create",
        summary="Read a picture, or each page of a file",
        parameters=[
            OpenApiParameter("store", bool, description="false: read without storing (200)."),
            OpenApiParameter(
                "explain", bool, description="true, with store=false: also return how it was read."
            ),
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="A repeated request gets the first response again (200).",
            ),
        ],
        request={
            "multipart/form-data": FileSerializer,
            "application/json": JSONPictureSerializer,
            "image/*": OpenApiTypes.BINARY,
        },
        responses={
            201: PredictedSerializer,
            200: ExplainedSerializer,
            **errors(400, 409, 413, 415),
        },
    )
    def post(self, request: Request) -> Response:
        result = self._read(request._request, *self._parse_picture(request), request.user)
        return Response(result.body, result.status, headers=result.headers)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Handle a plain upload without the parts of the framework that it does not need."""
        if not plain.is_plain_upload(request):
            return super().dispatch(request, *args, **kwargs)
        try:
            with plain.parsed_form(request) as form:
                upload, source = self._parse_form(form)
            result = self._read(request, upload, source, plain.ANONYMOUS)
        except Exception as error:
            return plain.json_error(error)
        return plain.json_response(result.body, result.status, result.headers)

    def _parse_picture(self, request: Request) -> tuple[Upload, Source]:
        if not request.content_type.startswith("application/json"):
            return self._parse_form(DataAndFiles(request.data, request.FILES))
        picture = JSONPictureSerializer(data=request.data)
        picture.is_valid(raise_exception=True)
        body = picture.validated_data
        if "pixels" in body:
            upload = Upload(pixels=body["pixels"])
        else:
            upload = upload_from_base64(body["image"])
        return upload, self.source or Source(body["source"])

    def _parse_form(self, form: "DataAndFiles[Any, Any]") -> tuple[Upload, Source]:
        upload = upload_from_form(form.files, self.field)
        if not form.data:
            return upload, self.source or Source.API
        sent = FormSerializer(data=form.data)
        sent.is_valid(raise_exception=True)
        said = sent.validated_data
        if "batch" in said:
            batch_id, position = batch_of(said["batch"]), said["position"]
            upload = replace(upload, batch_id=batch_id, position=position)
        return upload, self.source or Source(said["source"])

    def _read(
        self, request: HttpRequest, upload: Upload, source: Source, user: "User | AnonymousUser"
    ) -> JSONResult:
        """Read a picture as the request's query parameters and headers ask."""
        refuse_unknown(request.GET, FLAGS)
        store = parse_flag(request.GET, "store", default=True)
        explain = parse_flag(request.GET, "explain", default=False)
        if explain and store:
            raise BadQuery(
                _("explain=true needs store=false; use /explanation for a stored prediction.")
            )
        if explain:
            explained = services.predict_explained(upload, source=source, user=user)
            return JSONResult(explained_body(explained, request))
        if not store:
            records = services.predict(upload, source=source, user=user, store=False)
            return JSONResult(upload_body(records, request, kept=False))
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            records, created = services.predict(upload, source=source, user=user), True
        else:
            records, created = services.predict_once(
                upload, owner=owner_of(request, user), key=key, source=source, user=user
            )
        body = upload_body(records, request, kept=True, new=created)
        return JSONResult(
            body,
            status.HTTP_201_CREATED if created else status.HTTP_200_OK,
            {"Location": body["url"]} if "url" in body else {},
        )


class PredictionDetail(APIView):
    permission_classes = (requires(may_read, DELETE=is_signed_in),)

    def get_view_name(self) -> str:
        return "Prediction"

    @extend_schema(
        operation_id="predictions_read",
        summary="One prediction",
        responses={200: PredictionSerializer},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        return Response(prediction_json(record, request))

    @extend_schema(
        operation_id="predictions_delete",
        summary="Delete a prediction with its picture and corrections",
        responses={204: None},
    )
    def delete(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        if not may_delete(request.user, record):
            raise PermissionDenied
        if not services.delete(prediction_id, by=request.user):
            raise NoPrediction
        return Response(status=status.HTTP_204_NO_CONTENT)
