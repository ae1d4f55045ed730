"""The API's views: each parses what was asked, calls a service or the store, and presents."""

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import DataAndFiles
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from predictions import services
from predictions.access import visibility
from predictions.access.client_address import client_address
from predictions.access.permissions import may_delete, may_read
from predictions.access.rate_limits import limit
from predictions.api import plain
from predictions.api.permissions import requires
from predictions.api.serializers import (
    ExplainedSerializer,
    ExplanationSerializer,
    FileSerializer,
    JSONPictureSerializer,
    PageSerializer,
    PredictedSerializer,
    PredictionSerializer,
    SourceSerializer,
    errors,
    explained_body,
    steps_body,
    upload_body,
)
from predictions.core.errors import BadQuery
from predictions.core.records import PictureRecord, Source
from predictions.recognition.previews import png_of
from predictions.recognition.uploads import Upload, upload_from_base64, upload_from_form
from predictions.web.json import prediction_json, predictions_json
from predictions.web.list_params import ListParams, parse_flag, parse_list_query

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

# What is kept never changes, so neither does a picture of it; it may be private.
PICTURE_CACHE_CONTROL = "private, max-age=31536000, immutable"


class Answer(NamedTuple):
    """What a view says: a body that can be JSON, a status and headers."""

    body: dict[str, Any]
    status: int = status.HTTP_200_OK
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


def _no_prediction() -> NotFound:
    return NotFound("There is no prediction with this id.")


class PredictionList(GenericAPIView[Any]):
    """Send a picture of a handwritten digit, and list what was read."""

    serializer_class = FileSerializer
    field = "file"
    source: Source | None = None  # what the request says, unless the address says it

    def get_view_name(self) -> str:
        return "Predictions"

    @extend_schema(
        operation_id="predictions_list",
        summary="List predictions, newest first",
        parameters=[ListParams],
        responses={200: PageSerializer, **errors(400)},
    )
    def get(self, request: Request) -> Response:
        query = parse_list_query(request.query_params)
        page = visibility.latest(request.user, query)
        following = None
        if page.next is not None:
            here = request.build_absolute_uri()
            following = replace_query_param(here, "cursor", str(page.next))
        return Response({"results": predictions_json(page.records, request), "next": following})

    @extend_schema(
        operation_id="predictions_create",
        summary="Read a picture, or each page of a file of several",
        parameters=[
            OpenApiParameter("store", bool, description="false reads without keeping (200)."),
            OpenApiParameter(
                "explain", bool, description="true, with store=false: shows how it was read, too."
            ),
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="A request that is sent again is answered again (200) and done once.",
            ),
        ],
        request={
            "multipart/form-data": FileSerializer,
            "application/json": JSONPictureSerializer,
        },
        responses={
            201: PredictedSerializer,
            200: ExplainedSerializer,
            **errors(400, 409, 413, 415),
        },
    )
    def post(self, request: Request) -> Response:
        answer = self._read(request._request, *self._take_picture(request), request.user)
        return Response(answer.body, answer.status, headers=answer.headers)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a plain upload as `post` does, without what it has no need of."""
        if not plain.is_plain_upload(request):
            return super().dispatch(request, *args, **kwargs)
        try:
            limit(request, plain.NOBODY)
            with plain.form_of(request) as form:
                upload, source = self._take_form(form)
            answer = self._read(request, upload, source, plain.NOBODY)
        except Exception as error:
            return plain.answer_refusal(error)
        return plain.answer(answer.body, answer.status, answer.headers)

    def _take_picture(self, request: Request) -> tuple[Upload, Source]:
        if not request.content_type.startswith("application/json"):
            return self._take_form(DataAndFiles(request.data, request.FILES))
        sent = JSONPictureSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        asked = sent.validated_data
        if "pixels" in asked:
            upload = Upload(pixels=asked["pixels"])
        else:
            upload = upload_from_base64(asked["image"])
        return upload, self.source or Source(asked["source"])

    def _take_form(self, form: "DataAndFiles[Any, Any]") -> tuple[Upload, Source]:
        upload = upload_from_form(form.files, self.field)
        source = Source.API
        if "source" in form.data:
            sent = SourceSerializer(data=form.data)
            sent.is_valid(raise_exception=True)
            source = Source(sent.validated_data["source"])
        return upload, self.source or source

    def _read(
        self, request: HttpRequest, upload: Upload, source: Source, user: "User | AnonymousUser"
    ) -> Answer:
        """Read a picture and keep what was read, as the request's query and head want it."""
        store = parse_flag(request.GET, "store", default=True)
        explain = parse_flag(request.GET, "explain", default=False)
        if explain and store:
            raise BadQuery(
                _("explain=true needs store=false; of what is kept ask for /explanation.")
            )
        if explain:
            explained = services.predict_explained(upload, source=source, user=user)
            return Answer(explained_body(explained, request))
        if not store:
            records = services.predict(upload, source=source, user=user, store=False)
            return Answer(upload_body(records, request, kept=False))
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            records, made = services.predict(upload, source=source, user=user), True
        else:
            records, made = services.predict_once(
                upload, owner=_owner(request, user), key=key, source=source, user=user
            )
        body = upload_body(records, request, kept=True, new=made)
        return Answer(
            body,
            status.HTTP_201_CREATED if made else status.HTTP_200_OK,
            {"Location": body["url"]} if "url" in body else {},
        )


def _owner(request: HttpRequest, user: "User | AnonymousUser") -> str:
    """Say to whom an Idempotency-Key belongs: an account, or an address without one."""
    if user.is_authenticated:
        return f"user {user.pk}"
    return f"address {client_address(request)}"


class PredictionDetail(APIView):
    """One prediction."""

    permission_classes = (requires(may_read, DELETE=may_delete),)

    def get_view_name(self) -> str:
        return "Prediction"

    @extend_schema(
        operation_id="predictions_read",
        summary="One prediction",
        responses={200: PredictionSerializer},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get(request.user, prediction_id)
        if record is None:
            raise _no_prediction()
        return Response(prediction_json(record, request))

    @extend_schema(
        operation_id="predictions_delete",
        summary="Delete a prediction and all that was kept of it",
        responses={204: None},
    )
    def delete(self, request: Request, prediction_id: UUID) -> Response:
        if not services.delete(prediction_id, by=request.user):
            raise _no_prediction()
        return Response(status=status.HTTP_204_NO_CONTENT)


class PictureView(APIView):
    """Answers with picture bytes; its errors are JSON, as everywhere."""

    def _picture(self, request: Request, prediction_id: UUID) -> PictureRecord:
        picture = visibility.picture(request.user, prediction_id)
        if picture is None:
            raise _no_prediction()
        return picture

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        # An <img> asks for image/*, which no renderer of errors offers: never 406.
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
            raise NotFound("No preview was kept of this picture.")
        return _picture_response(preview, "image/webp")


class Explanation(PictureView):
    @extend_schema(
        operation_id="predictions_explanation",
        summary="How the preview is read: every step as a picture, made on request",
        responses={200: ExplanationSerializer},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        reading, steps = services.explain(self._picture(request, prediction_id))
        return Response(
            {
                "text": reading.text,
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
            raise NotFound("This prediction has no picture of such a digit.")
        return _picture_response(png_of(glyph), "image/png")


def _picture_response(content: bytes, content_type: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=content_type, headers={"Cache-Control": PICTURE_CACHE_CONTROL}
    )


class Root(APIView):
    """The way into the API."""

    def get_view_name(self) -> str:
        return "Handwritten digits"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "predictions": reverse("api:predictions", request=request),
                "review": reverse("api:review", request=request),
                "models": reverse("api:models", request=request),
                "schema": reverse("api:schema", request=request),
                "docs": reverse("api:docs", request=request),
            }
        )
