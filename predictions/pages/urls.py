from django.urls import path

from predictions.pages import legacy, selection, statistics, views

urlpatterns = [
    path("", views.read, name="read"),
    path("predictions/", views.history, name="predictions"),
    path("predictions/selected", selection.selected, name="predictions-selected"),
    path("predictions/<uuid:prediction_id>/", views.detail, name="prediction-detail"),
    path("predictions/<uuid:prediction_id>/how", views.how, name="prediction-how"),
    path("predictions/<uuid:prediction_id>/delete", views.delete, name="prediction-delete"),
    path("statistics/", statistics.statistics, name="statistics"),
    path("upload", legacy.upload, name="upload"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("predict", legacy.predict, name="predict"),
]
