"""All models of the app, where Django looks for them; each is imported from its own package."""

from django.conf import settings

from predictions.access.models import AuditEntry, FormerName, TokenDetails
from predictions.registry.models import Activation, ModelVersion
from predictions.review.models import Correction, CorrectionTerm, ReviewItem
from predictions.shadow.models import ShadowDisagreement, ShadowRun
from predictions.statistics.models import CountedPeriod, DayStatistics, DriftDay
from predictions.stores.sql.models import (
    IdempotencyKey,
    OutboxEvent,
    Picture,
    Prediction,
    PredictionDigit,
    PredictionTerm,
)
from predictions.webhooks.models import OutboxPosition, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Activation",
    "AuditEntry",
    "Correction",
    "CorrectionTerm",
    "CountedPeriod",
    "DayStatistics",
    "DriftDay",
    "FormerName",
    "IdempotencyKey",
    "ModelVersion",
    "OutboxEvent",
    "OutboxPosition",
    "Picture",
    "Prediction",
    "PredictionDigit",
    "PredictionTerm",
    "ReviewItem",
    "ShadowDisagreement",
    "ShadowRun",
    "TokenDetails",
    "WebhookDelivery",
    "WebhookEndpoint",
]

if settings.PREDICTION_STORE == "cassandra":
    # The engine makes tables of the models that it finds here.
    from predictions.stores.cassandra.tables import (  # noqa: F401
        CassandraBatchEntry,
        CassandraDay,
        CassandraEvent,
        CassandraIdempotencyKey,
        CassandraPicture,
        CassandraPrediction,
        CassandraTerm,
    )
