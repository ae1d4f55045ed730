from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from predictions.api import batch, views

app_name = "api"

urlpatterns = [
    path("v1/", views.Root.as_view(), name="root"),
    path("v1/predictions", views.PredictionList.as_view(), name="predictions"),
    path("v1/predictions/batch", batch.PredictionBatch.as_view(), name="batch"),
    path(
        "v1/predictions/<uuid:prediction_id>", views.PredictionDetail.as_view(), name="prediction"
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/preview.webp", views.Preview.as_view(), name="preview"
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/explanation",
        views.Explanation.as_view(),
        name="explanation",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/digits/<int:position>.png",
        views.DigitPicture.as_view(),
        name="digit",
    ),
    path("v1/schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
]
