"""The API's first address, and those with a slash too many."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView


class Root(APIView):
    def get_view_name(self) -> str:
        return "Handwritten digits"

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "version": settings.VERSION,
                "predictions": reverse("api:predictions", request=request),
                "review": reverse("api:review", request=request),
                "models": reverse("api:models", request=request),
                "schema": reverse("api:schema", request=request),
                "docs": reverse("api:docs", request=request),
            }
        )


@csrf_exempt
@no_append_slash
def without_slash(request: HttpRequest, path: str) -> HttpResponse:
    """Redirect a URL with a slash too many, for any method and with its body."""
    url = request.path.rstrip("/")
    try:
        resolve(request.path_info.rstrip("/"))
    except Resolver404:
        raise Http404 from None
    query = request.META.get("QUERY_STRING", "")
    return HttpResponsePermanentRedirect(f"{url}?{query}".rstrip("?"), preserve_request=True)
