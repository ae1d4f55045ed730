from django.contrib import admin
from django.urls import include, path

from predictions.pages.language import choose_language

urlpatterns = [
    path("api/", include("predictions.api.urls")),
    path("", include("predictions.pages.urls")),
    path("", include("predictions.legacy.urls")),
    path("", include("predictions.protocols.urls")),
    path("accounts/", include("predictions.pages.accounts")),
    path("admin/", admin.site.urls),
    path("language", choose_language, name="set-language"),
]

handler400 = "mnistsite.errors.bad_request"
handler403 = "mnistsite.errors.permission_denied"
handler404 = "mnistsite.errors.not_found"
handler500 = "mnistsite.errors.server_error"
