"""URLs for signing in and out, with Django's views, and for API tokens."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.utils.decorators import method_decorator

from predictions.pages import tokens
from predictions.pages.access import rate_limited


@method_decorator(rate_limited, name="dispatch")
class SignIn(LoginView):
    """Django's view with the rate limit of all pages, besides that on wrong passwords."""


urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/<str:token_key>/revoke", tokens.revoke, name="token-revoke"),
]
