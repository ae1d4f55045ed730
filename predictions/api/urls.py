from django.urls import path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from predictions.api import (
    batch,
    corrections,
    description,
    exports,
    model_versions,
    pictures,
    predictions,
    root,
    shadow,
)
from predictions.web.converters import VERSION

app_name = "api"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="api:root")),
    path("v1/", root.Root.as_view(), name="root"),
    path("v1/predictions", predictions.PredictionList.as_view(), name="predictions"),
    path("v1/predictions/batch", batch.PredictionBatch.as_view(), name="batch"),
    path(
        "v1/predictions/<uuid:prediction_id>",
        predictions.PredictionDetail.as_view(),
        name="prediction",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/preview.webp",
        pictures.Preview.as_view(),
        name="preview",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/explanation",
        pictures.Explanation.as_view(),
        name="explanation",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/digits/<int:position>.png",
        pictures.DigitPicture.as_view(),
        name="digit",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/corrections",
        corrections.Corrections.as_view(),
        name="corrections",
    ),
    path(
        "v1/predictions/<uuid:prediction_id>/corrections/undo",
        corrections.UndoCorrection.as_view(),
        name="undo-correction",
    ),
    path("v1/predictions/export", exports.PredictionExport.as_view(), name="export"),
    path("v1/review", corrections.Review.as_view(), name="review"),
    path("v1/review/claim", corrections.ClaimReview.as_view(), name="claim-review"),
    path(
        "v1/review/<uuid:prediction_id>", corrections.AnswerReview.as_view(), name="answer-review"
    ),
    path(
        "v1/review/<uuid:prediction_id>/skip", corrections.SkipReview.as_view(), name="skip-review"
    ),
    path("v1/models", model_versions.ModelVersions.as_view(), name="models"),
    path(f"v1/models/{VERSION}", model_versions.ModelVersionDetail.as_view(), name="model"),
    path(
        f"v1/models/{VERSION}/archive",
        model_versions.ModelVersionArchive.as_view(),
        name="model-archive",
    ),
    path(
        f"v1/models/{VERSION}/activate",
        model_versions.ActivateModelVersion.as_view(),
        name="activate-model",
    ),
    path(f"v1/models/{VERSION}/shadow", shadow.Shadow.as_view(), name="model-shadow"),
    path(
        f"v1/models/{VERSION}/shadow/review",
        shadow.ReviewShadow.as_view(),
        name="review-shadow",
    ),
    path("v1/schema", description.Description.as_view(), name="schema"),
    path("v1/<path:path>/", root.without_slash),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
]
