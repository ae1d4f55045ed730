"""The shadow version, for programs."""

from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from predictions.access import visibility
from predictions.access.permissions import may_activate, may_review, may_view_all
from predictions.api.permissions import requires
from predictions.api.serializers import errors
from predictions.core.errors import PredictionsError
from predictions.registry import versions
from predictions.shadow import runs
from predictions.shadow.agreement import Agreement
from predictions.shadow.models import ShadowDisagreement, ShadowRun


class SentShadowSerializer(serializers.Serializer[Any]):
    share = serializers.FloatField(
        min_value=runs.MIN_SHARE, max_value=1, help_text="Of the pictures that are kept."
    )


class DisagreementSerializer(serializers.Serializer[ShadowDisagreement]):
    prediction = serializers.UUIDField(source="prediction_id")
    answered_text = serializers.CharField(help_text="As the active version reads it.")
    answered_confidence = serializers.FloatField(allow_null=True)
    text = serializers.CharField(help_text="As the shadow version reads it.")
    confidence = serializers.FloatField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True, help_text="When it was sent to review.")


class ShadowSerializer(serializers.Serializer[ShadowRun]):
    """A version that reads along, and how it agrees with the active one."""

    number = serializers.IntegerField()
    against = serializers.IntegerField(help_text="The version that it is compared with.")
    share = serializers.FloatField()
    running = serializers.BooleanField()
    started_at = serializers.DateTimeField()
    started_by = serializers.CharField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    agreement = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="Counts by `text` (same, other), and of pairs by `status` and `digit`, such as "
        "`7 1`: the active version's first; `none` where only one sees a digit.",
    )
    disagreements = DisagreementSerializer(
        many=True,
        source="newest_disagreements",
        help_text="The last pictures that both read otherwise, newest first.",
    )


class SentToReviewSerializer(serializers.Serializer[Any]):
    sent = serializers.IntegerField()


class Shadow(APIView):
    permission_classes = (requires(may_view_all, POST=may_activate, DELETE=may_activate),)

    @extend_schema(
        operation_id="models_shadow_read",
        summary="How a version agrees with the active one as a shadow",
        description="Of its last run; 404 if there was none.",
        responses={200: ShadowSerializer},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(_describe(_run_of(number)))

    @extend_schema(
        operation_id="models_shadow_start",
        summary="Let a version read along as a shadow",
        description="It reads a share of the pictures that are kept, after they were answered, "
        "in place of any other shadow version. Counts begin at 0.",
        request=SentShadowSerializer,
        responses={200: ShadowSerializer, **errors(400, 409, 415)},
    )
    def post(self, request: Request, number: int) -> Response:
        body = SentShadowSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        run = runs.start(number, by=request.user.get_username(), **body.validated_data)
        return Response(_describe(run))

    @extend_schema(
        operation_id="models_shadow_stop",
        summary="Stop a shadow version",
        responses={204: None},
    )
    def delete(self, request: Request, number: int) -> Response:
        runs.stop(number, by=request.user.get_username())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReviewShadow(APIView):
    permission_classes = (requires(may_review),)

    @extend_schema(
        operation_id="models_shadow_review",
        summary="Send what a shadow version reads otherwise to the review queue",
        description="Each picture is sent once, and those that were corrected are not.",
        request=None,
        responses={200: SentToReviewSerializer},
    )
    def post(self, request: Request, number: int) -> Response:
        may_see = partial(visibility.may_see, request.user)
        return Response({"sent": runs.send_to_review(_run_of(number), may_see=may_see)})


def _run_of(number: int) -> ShadowRun:
    versions.identity(number)
    run = runs.latest(number)
    if run is None:
        raise PredictionsError("not_found", _("This version never read as a shadow."), status=404)
    return run


def _describe(run: ShadowRun) -> dict[str, Any]:
    run.agreement = Agreement(run.counts)  # type: ignore[attr-defined]  # for the serializer
    run.newest_disagreements = runs.disagreements(run)  # type: ignore[attr-defined]
    return dict(ShadowSerializer(run).data)
