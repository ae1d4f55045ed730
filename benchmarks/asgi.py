"""The site as an ASGI application, for benchmarks/workers.py alone."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")

application = get_asgi_application()
