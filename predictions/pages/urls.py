from django.urls import path

from predictions.pages import (
    corrections,
    detail,
    favicon,
    history,
    model_versions,
    reading,
    selection,
    shadow,
    statistics,
    uploads,
)
from predictions.web.converters import VERSION

urlpatterns = [
    path("", reading.read, name="read"),
    path("predictions/", history.history, name="predictions"),
    path("predictions/selected", selection.selected, name="predictions-selected"),
    path("predictions/<uuid:prediction_id>/", detail.detail, name="prediction-detail"),
    path("uploads/", uploads.send, name="uploads"),
    path("uploads/<uuid:group_id>/", uploads.table, name="upload"),
    path("uploads/<uuid:group_id>/predictions.csv", uploads.csv, name="upload-csv"),
    path("uploads/<uuid:group_id>/text", uploads.text, name="upload-text"),
    path("predictions/<uuid:prediction_id>/how", detail.how, name="prediction-how"),
    path("predictions/<uuid:prediction_id>/delete", detail.delete, name="prediction-delete"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("predictions/<uuid:prediction_id>/correct", corrections.correct, name="correct"),
    path("predictions/<uuid:prediction_id>/undo", corrections.undo, name="undo-correction"),
    path("review/", corrections.show_review, name="review"),
    path("review/<uuid:prediction_id>", corrections.answer_review, name="answer-review"),
    path("models/", model_versions.model_list, name="models"),
    path("models/import", model_versions.add, name="import-model"),
    path(f"models/{VERSION}/", model_versions.model_detail, name="model"),
    path(f"models/{VERSION}/activate", model_versions.activate, name="activate-model"),
    path(f"models/{VERSION}/shadow", shadow.start, name="start-shadow"),
    path(f"models/{VERSION}/shadow/stop", shadow.stop, name="stop-shadow"),
    path(f"models/{VERSION}/shadow/review", shadow.send_to_review, name="review-shadow"),
    path(f"models/{VERSION}/delete", model_versions.delete, name="delete-model"),
    path("favicon.ico", favicon.favicon, name="favicon"),
]
