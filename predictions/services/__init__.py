"""The use cases: read and keep an upload, delete, correct, review, purge.

Views, commands and the admin call these; a rule that holds for all of them stands here. Whatever
only reads goes to the package that has it.
"""

from predictions.services.classification import classify
from predictions.services.deletion import delete
from predictions.services.prediction import (
    explain,
    predict,
    predict_batch,
    predict_explained,
    predict_once,
    predict_together,
)
from predictions.services.review import (
    answer_review,
    claim_review,
    claimed_review,
    correct,
    is_any_free_for,
    undo_correction,
    waiting_for,
)

__all__ = [
    "answer_review",
    "claim_review",
    "claimed_review",
    "classify",
    "correct",
    "delete",
    "explain",
    "is_any_free_for",
    "predict",
    "predict_batch",
    "predict_explained",
    "predict_once",
    "predict_together",
    "undo_correction",
    "waiting_for",
]
