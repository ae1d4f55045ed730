from django.urls import path

from predictions.pages import (
    corrections,
    history,
    model_versions,
    selection,
    shadow,
    statistics,
    uploads,
    views,
)

urlpatterns = [
    path("", views.read, name="read"),
    path("predictions/", history.history, name="predictions"),
    path("predictions/selected", selection.selected, name="predictions-selected"),
    path("predictions/<uuid:prediction_id>/", views.detail, name="prediction-detail"),
    path("uploads/", uploads.send, name="uploads"),
    path("uploads/<uuid:group_id>/", uploads.table, name="upload"),
    path("uploads/<uuid:group_id>/predictions.csv", uploads.csv, name="upload-csv"),
    path("uploads/<uuid:group_id>/text", uploads.text, name="upload-text"),
    path("predictions/<uuid:prediction_id>/how", views.how, name="prediction-how"),
    path("predictions/<uuid:prediction_id>/delete", views.delete, name="prediction-delete"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("predictions/<uuid:prediction_id>/correct", corrections.correct, name="correct"),
    path("predictions/<uuid:prediction_id>/undo", corrections.undo, name="undo-correction"),
    path("review/", corrections.show_review, name="review"),
    path("review/<uuid:prediction_id>", corrections.answer_review, name="answer-review"),
    path("models/", model_versions.model_list, name="models"),
    path("models/import", model_versions.add, name="import-model"),
    path("models/<int:number>/", model_versions.model_detail, name="model"),
    path("models/<int:number>/activate", model_versions.activate, name="activate-model"),
    path("models/<int:number>/shadow", shadow.start, name="start-shadow"),
    path("models/<int:number>/shadow/stop", shadow.stop, name="stop-shadow"),
    path("models/<int:number>/shadow/review", shadow.send_to_review, name="review-shadow"),
    path("models/<int:number>/delete", model_versions.delete, name="delete-model"),
    path("favicon.ico", views.favicon, name="favicon"),
]
