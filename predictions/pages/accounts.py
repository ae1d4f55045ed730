"""URLs for signing in and out, with Django's views, and for API tokens."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from predictions.pages import tokens
from predictions.pages.password import ChangePassword
from predictions.pages.sign_in import SignIn

urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", ChangePassword.as_view(), name="password"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<str:token_key>/revoke", tokens.revoke, name="token-revoke"),
]
