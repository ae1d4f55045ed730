"""Signing in and out, by Django's own views, and the tokens of an account."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.utils.decorators import method_decorator

from predictions.pages import tokens
from predictions.pages.access import limited


@method_decorator(limited, name="dispatch")
class SignIn(LoginView):
    """Django's own, with the limit of all pages on top of that on wrong passwords."""


urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<str:token_key>/revoke", tokens.revoke, name="token-revoke"),
]
