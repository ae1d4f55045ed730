"""Which address leads where."""

from django.contrib import admin
from django.urls import include, path

from mnistsite import health

urlpatterns = [
    path("", include("predictions.pages.urls")),
    path("api/", include("predictions.api.urls")),
    path("accounts/", include("predictions.pages.accounts")),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]

handler400 = "mnistsite.errors.bad_request"
handler403 = "mnistsite.errors.permission_denied"
handler404 = "mnistsite.errors.not_found"
handler500 = "mnistsite.errors.server_error"
