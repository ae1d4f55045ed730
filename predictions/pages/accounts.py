"""URLs for signing in and out, with Django's views, and for API tokens."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from predictions.pages import tokens

urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<str:token_key>/revoke", tokens.revoke, name="token-revoke"),
]
