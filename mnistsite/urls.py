from django.contrib import admin
from django.urls import include, path

from predictions.pages.language import choose_language
from predictions.pages.password import ChangePassword

urlpatterns = [
    path("api/", include("predictions.api.urls")),
    path("", include("predictions.pages.urls")),
    path("", include("predictions.legacy.urls")),
    path("", include("predictions.protocols.urls")),
    path("accounts/", include("predictions.pages.accounts")),
    # Before the admin's own, which lets the old password be guessed without end.
    path("admin/password_change/", ChangePassword.as_view()),
    path("admin/", admin.site.urls),
    path("language", choose_language, name="set-language"),
]

handler400 = "mnistsite.errors.bad_request"
handler403 = "mnistsite.errors.permission_denied"
handler404 = "mnistsite.errors.not_found"
handler500 = "mnistsite.errors.server_error"
