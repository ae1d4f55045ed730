"""Corrections and the review queue."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions import services
from predictions.access import visibility
from predictions.access.permissions import may_review
from predictions.api.permissions import requires
from predictions.api.serializers import VERDICTS, CorrectionSerializer, errors, none_of
from predictions.review import corrections, queue
from predictions.review.corrections import Verdict
from predictions.web.json import prediction_json


class SentCorrectionSerializer(serializers.Serializer[Any]):
    """What a picture shows: a text, or why it has none."""

    verdict = serializers.ChoiceField(
        choices=VERDICTS,
        default=str(Verdict.TEXT),
        required=False,
        error_messages=none_of(VERDICTS),
    )
    text = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="Digits, spaces and line breaks."
    )


class WaitingSerializer(serializers.Serializer[Any]):
    waiting = serializers.IntegerField()


class ReviewView(APIView):
    permission_classes = (requires(may_review),)

    def parse_correction(self, request: Request) -> dict[str, Any]:
        body = SentCorrectionSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return {**body.validated_data, "verdict": Verdict(body.validated_data["verdict"])}


class Corrections(ReviewView):
    @extend_schema(
        operation_id="corrections_list",
        summary="List the corrections of a prediction, newest first",
        description="An undone correction is followed by one with the verdict `undo`.",
        responses={200: CorrectionSerializer(many=True)},
    )
    def get(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        entries = CorrectionSerializer(
            corrections.history(record.id),  # type: ignore[arg-type]  # the stubs do not know many=True
            many=True,
        )
        return Response(entries.data)

    @extend_schema(
        operation_id="corrections_create",
        summary="Correct a prediction",
        request=SentCorrectionSerializer,
        responses={201: CorrectionSerializer, **errors(400, 409)},
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        made = services.correct(record, **self.parse_correction(request), by=request.user)
        return Response(CorrectionSerializer(made).data, status=status.HTTP_201_CREATED)


class UndoCorrection(ReviewView):
    @extend_schema(
        operation_id="corrections_undo",
        summary="Undo the last correction",
        description="Returns the prediction with its current correction.",
        request=None,
        responses={200: dict, **errors(400, 409)},
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        services.undo_correction(record, by=request.user)
        return Response(prediction_json(record, request))


class Review(ReviewView):
    @extend_schema(
        operation_id="review_waiting",
        summary="Count the predictions that wait for review",
        responses={200: WaitingSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response({"waiting": services.waiting_for(request.user)})


class ClaimReview(ReviewView):
    @extend_schema(
        operation_id="review_claim",
        summary="Claim the least confident prediction that nobody else has claimed",
        description="A claim lasts ten minutes; until then the same prediction is returned. "
        "204: nothing waits.",
        request=None,
        responses={200: dict, 204: None},
    )
    def post(self, request: Request) -> Response:
        record = services.claim_review(request.user)
        if record is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(prediction_json(record, request))


class AnswerReview(ReviewView):
    """Correct a claimed prediction; 409 without any change if the claim was lost."""

    @extend_schema(
        operation_id="review_answer",
        summary="Correct a claimed prediction",
        request=SentCorrectionSerializer,
        responses={201: CorrectionSerializer, **errors(400, 409)},
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        record = visibility.get_or_404(request.user, prediction_id)
        made, *_ = services.answer_review(record, **self.parse_correction(request), by=request.user)
        return Response(CorrectionSerializer(made).data, status=status.HTTP_201_CREATED)


class SkipReview(ReviewView):
    @extend_schema(
        operation_id="review_skip",
        summary="Release a claimed prediction until later",
        request=None,
        responses={204: None, **errors(409)},
    )
    def post(self, request: Request, prediction_id: UUID) -> Response:
        queue.skip(prediction_id, request.user.get_username())
        return Response(status=status.HTTP_204_NO_CONTENT)
