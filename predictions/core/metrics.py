"""Prometheus metrics of predictions; docs/run/runbook.md lists names and labels."""

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from predictions.core.records import PredictionRecord

PREDICTIONS = Counter(
    "mnistsite_predictions",
    "Pictures read.",
    ["status", "source", "model_version"],
)
DIGITS = Counter("mnistsite_digits", "Digits read.", ["digit"])
CONFIDENCE = Histogram(
    "mnistsite_confidence",
    "The confidence of each reading.",
    buckets=(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1),
)
TENSORS = Counter(
    "mnistsite_tensors", "28x28 tensors answered by the digit network alone.", ["model_version"]
)
# Looked up once: of their labels there are few.
predictions_of = cache(PREDICTIONS.labels)
digits_of = cache(DIGITS.labels)
MODEL_SWAPS = Counter("mnistsite_model_swaps", "Changes of a worker to another model version.")
VERSION_CHECK_ERRORS = Counter(
    "mnistsite_version_check_errors", "Failed checks for another active model version."
)
COUNTING_ERRORS = Counter(
    "mnistsite_counting_errors", "Failed attempts to keep the daily counts of the statistics."
)
DRIFT = Gauge(
    "mnistsite_drift_index",
    "Population stability index of the last day that was compared.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
DRIFT_BOUND = Gauge(
    "mnistsite_drift_bound",
    "The index from which on the last day that was compared counts as a drift.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
SHADOW_PICTURES = Counter(
    "mnistsite_shadow_pictures",
    "Pictures for the shadow version: read the same or other, dropped, left_out.",
    ["model_version", "outcome"],
)
SHADOW_STATUSES = Counter(
    "mnistsite_shadow_statuses",
    "Pictures by the status of the active and of the shadow version.",
    ["model_version", "answered", "status"],
)
SHADOW_DIGITS = Counter(
    "mnistsite_shadow_digits",
    "Digits of the active version that the shadow version reads the same or other.",
    ["model_version", "digit", "outcome"],
)
SHADOW_ERRORS = Counter("mnistsite_shadow_errors", "Failed attempts to read as a shadow.")
STORE_ERRORS = Counter("mnistsite_store_errors", "Times the prediction store did not answer.")


def count_prediction(record: PredictionRecord) -> None:
    predictions_of(record.status, record.source, record.model_version).inc()
    for digit in record.digits:
        digits_of(digit.digit).inc()
    if record.confidence is not None:
        CONFIDENCE.observe(record.confidence)
