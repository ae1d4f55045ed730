"""The REST API under /api/v1/: views, serializers, parsers and the API's description."""
