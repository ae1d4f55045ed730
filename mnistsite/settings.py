"""Django's settings. docs/use/settings.md lists the environment variables that change them.

The defaults are for a local run. An invalid value stops the start with a message that names it.
"""

import logging
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

from csp.constants import NONE, SELF
from environs import validate

from mnistsite import __version__, cassandra
from mnistsite.databases import STORE_APPS, cache, databases
from mnistsite.environment import Environment
from mnistsite.logs import configure_logging
from mnistsite.networks import host_names, networks, origins
from mnistsite.secret_key import secret_key
from mnistsite.serving import read_script_name, read_serving
from mnistsite.times import time_zone
from predictions.stores import STORES

env = Environment()

BASE_DIR = Path(__file__).resolve().parent.parent
# Everything that the site writes: the database, the secret key, training output.
VAR_DIR = Path(env.str("VAR_DIR", f"{BASE_DIR}/var")).resolve()
# For this account alone. One that is there stays as it is: a socket for a proxy may lie in it.
VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

VERSION = __version__

# --- Security -----------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = host_names(env, "ALLOWED_HOSTS", LOOPBACK_HOSTS)
# A site that answers to any other name is in production: SECRET_KEY is required, HTTPS is on.
PRODUCTION = not DEBUG and not set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS)
HTTPS = env.bool("HTTPS", PRODUCTION)

SECRET_KEY = secret_key(env, VAR_DIR / "secret_key", production=PRODUCTION)
CSRF_TRUSTED_ORIGINS = origins(env, "CSRF_TRUSTED_ORIGINS")
# Origins whose pages may call the API in a browser, with a token but without cookies.
CORS_ALLOWED_ORIGINS = origins(env, "CORS_ALLOWED_ORIGINS", subdomains=False)
CORS_URLS_REGEX = r"^/(api/|v1/|v2(/|$))"
CORS_ALLOW_HEADERS = (
    *("authorization", "content-type", "content-disposition", "idempotency-key"),
    *("inference-header-content-length", "x-request-id"),
)
CORS_EXPOSE_HEADERS = (
    *("location", "retry-after", "inference-header-content-length", "x-request-id"),
)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # data: for images in style sheets, blob: for previews of chosen files.
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Languages and time -------------------------------------------------------------------------

LANGUAGE_CODE = "en"
# Each in its own words. The language of a request is the one chosen in the footer, which a cookie
# remembers, else the browser's; docs and command lines speak English.
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("es", "Español")]
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = time_zone(env, "TIME_ZONE", "UTC")
FORMAT_MODULE_PATH = ["mnistsite.formats"]
USE_I18N = True
USE_TZ = True

# --- Application --------------------------------------------------------------------------------

PREDICTION_STORE = env.str("PREDICTION_STORE", "sql", validate=validate.OneOf(STORES))

INSTALLED_APPS = [
    *STORE_APPS.get(PREDICTION_STORE, []),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "predictions",
    "axes",
    *(["corsheaders"] if CORS_ALLOWED_ORIGINS else []),
]

MIDDLEWARE = [
    "mnistsite.middleware.RequestLogMiddleware",
    # Before SecurityMiddleware and its redirect: health checks are made without TLS.
    "mnistsite.health.HealthMiddleware",
    "mnistsite.metrics.MetricsMiddleware",
    # Around all that answers: refusals are for the callers, too.
    *(["corsheaders.middleware.CorsMiddleware"] if CORS_ALLOWED_ORIGINS else []),
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Around PrivateMiddleware: it gives an ETag to what may be cached.
    "django.middleware.http.ConditionalGetMiddleware",
    "mnistsite.middleware.PrivateMiddleware",
    "mnistsite.middleware.ContentSecurityPolicyMiddleware",
    # Before whatever says something.
    "mnistsite.middleware.LanguageMiddleware",
    "mnistsite.middleware.UnavailableMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "predictions.api.plain.PlainUploadMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "predictions.access.audit.ActingMiddleware",
    "predictions.access.rate_limits.RateLimitMiddleware",
    # After what counts: a body that is refused counts, too. Nothing before reads bodies.
    "mnistsite.middleware.BodyLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Never in a session: who has no account would have a row of SQL for the asking.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# The path below which a proxy serves the site, such as /digits.
SCRIPT_NAME = read_script_name(env)
FORCE_SCRIPT_NAME = SCRIPT_NAME or None
SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{SCRIPT_NAME}/"

ROOT_URLCONF = "mnistsite.urls"
WSGI_APPLICATION = "mnistsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "predictions.pages.context.site",
            ],
            "builtins": ["predictions.pages.moments"],
        },
    },
]

# --- Storage ------------------------------------------------------------------------------------

DATABASES = databases(env, VAR_DIR, PREDICTION_STORE)
RETENTION_DAYS = env.int(  # 0 keeps predictions for ever
    "RETENTION_DAYS", 0, validate=validate.Range(min=0, max=7300)
)
CASSANDRA_KEYSPACE = cassandra.keyspace(env)
CASSANDRA_REPLICATION = cassandra.replication(env)
# Partitions per day of predictions: docs/run/scaling.md.
CASSANDRA_SHARDS = env.int("CASSANDRA_SHARDS", 4, validate=validate.Range(min=1, max=1024))
# A function, since `importlegacy` reads from Cassandra on either store.
CASSANDRA_DATABASE = partial(cassandra.database, env)
CASSANDRA_FALLBACK_ORDER_BY_PYTHON = False  # required by django-cassandra-engine
CACHES = {"default": cache(env)}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = f"{SCRIPT_NAME}/static/"
# `make run` and the Dockerfile collect them at installation.
STATIC_ROOT = Path(env.str("STATIC_ROOT", f"{BASE_DIR}/build/static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "mnistsite.staticfiles.StaticFilesStorage"},
}

# --- Uploads and recognition --------------------------------------------------------------------

MODEL_DIR = BASE_DIR / "ml" / "models"
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", 20_000_000, validate=validate.Range(min=1))
MAX_PIXELS = env.int("MAX_PIXELS", 64_000_000, validate=validate.Range(min=784))
MAX_PAGES = env.int("MAX_PAGES", 20, validate=validate.Range(min=1, max=100))
MAX_BATCH_FILES = env.int("MAX_BATCH_FILES", 100, validate=validate.Range(min=1, max=10_000))
MAX_BATCH_BYTES = env.int("MAX_BATCH_BYTES", 100_000_000, validate=validate.Range(min=1))
# Calibrated probability that the whole text is right; docs/measure/accuracy.md explains both.
REVIEW_BELOW_CONFIDENCE = env.float(
    "REVIEW_BELOW_CONFIDENCE", 0.9, validate=validate.Range(min=0, max=1)
)
# The calibrated probability of the most certain digit.
UNREADABLE_BELOW_CONFIDENCE = env.float(
    "UNREADABLE_BELOW_CONFIDENCE", 0.1, validate=validate.Range(min=0, max=1)
)
KEEP_PICTURES = env.str("KEEP_PICTURES", "preview", validate=validate.OneOf(["preview", "none"]))
ANONYMOUS_READING = env.bool("ANONYMOUS_READING", True)
# Who sees kept predictions of others; with ANONYMOUS_READING off, everyone means who has the
# permission to view them.
HISTORY_VISIBLE_TO = env.str(
    "HISTORY_VISIBLE_TO", "everyone", validate=validate.OneOf(["everyone", "signed-in", "own"])
)

# A picture may come as base64 (4/3 of its size) in a form.
MAX_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 65_536
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
FILE_UPLOAD_HANDLERS = ["predictions.api.parsers.PageFormHandler"]
DATA_UPLOAD_MAX_NUMBER_FILES = MAX_BATCH_FILES + 1  # one more, so that the view can refuse it

# --- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First, since it has a WWW-Authenticate header: an anonymous request gets 401, not 403.
        "predictions.api.authentication.APITokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["predictions.api.permissions.MayRead"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "predictions.api.negotiation.ContentNegotiation",
    "DEFAULT_SCHEMA_CLASS": "predictions.api.schema.PermissionAwareSchema",
    "DEFAULT_RENDERER_CLASSES": [
        "predictions.api.renderers.ORJSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "predictions.api.parsers.FormParser",
        "predictions.api.parsers.UTF8JSONParser",
    ],
    "EXCEPTION_HANDLER": "predictions.api.errors.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Handwritten digits",
    "DESCRIPTION": "Reads handwritten digits in pictures and keeps every prediction.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SORT_OPERATIONS": False,  # as in predictions/api/urls.py: what is used most first
    "SERVERS": [{"url": SCRIPT_NAME}] if SCRIPT_NAME else [],
    # Of predictions/web/converters.py.
    "PATH_CONVERTER_OVERRIDES": {
        "version": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    },
    "ENUM_NAME_OVERRIDES": {
        "Source": "predictions.api.serializers.SOURCES",
        "ClientSource": "predictions.api.serializers.CLIENT_SOURCES",
        "Status": "predictions.api.serializers.STATUSES",
        "ReviewReason": "predictions.api.serializers.REVIEW_REASONS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "predictions.api.schema.add_common_errors",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Limits --------------------------------------------------------------------------------------

# Requests per minute and client; 0 for no limit.
rate = validate.Range(min=0)
RATE_LIMIT_ANONYMOUS = env.int("RATE_LIMIT_ANONYMOUS", 300 if PRODUCTION else 60_000, validate=rate)
RATE_LIMIT_USER = env.int("RATE_LIMIT_USER", 3_000 if PRODUCTION else 60_000, validate=rate)
# Requests per worker that are being answered or wait for a thread; beyond that 503.
MAX_IN_FLIGHT = env.int("MAX_IN_FLIGHT", 96, validate=validate.Range(min=1))
# Seconds for a client to send its headers, to send its body, and to receive the whole response.
timeout = validate.Range(min=0, min_inclusive=False, max=3600)
HEAD_TIMEOUT = env.float("HEAD_TIMEOUT", 10.0, validate=timeout)
BODY_TIMEOUT = env.float("BODY_TIMEOUT", 60.0, validate=timeout)
ANSWER_TIMEOUT = env.float("ANSWER_TIMEOUT", 120.0, validate=timeout)
# Bytes of a worker's temporary files for requests that are received, and as many for responses
# that are sent. By mnistsite/shares.py, two clients can send the longest body at once.
MAX_SPOOLED_BYTES = env.int(
    "MAX_SPOOLED_BYTES",
    max(250_000_000, 5 * max(MAX_BODY_BYTES, MAX_BATCH_BYTES) // 2),
    validate=validate.Range(min=1_000_000),
)
METRICS_ALLOWED_NETWORKS = networks(env, "METRICS_ALLOWED_NETWORKS", "127.0.0.0/8,::1")
# Proxies in front that append to X-Forwarded-For.
PROXY_COUNT = env.int("PROXY_COUNT", 0, validate=validate.Range(min=0, max=9))

# --- Webhooks ------------------------------------------------------------------------------------

# Private networks that events may be sent to, also without TLS; public addresses always may be.
WEBHOOK_ALLOWED_NETWORKS = networks(env, "WEBHOOK_ALLOWED_NETWORKS", "")
# Seconds for an endpoint to answer.
WEBHOOK_TIMEOUT = env.float(
    "WEBHOOK_TIMEOUT", 10.0, validate=validate.Range(min=0, min_inclusive=False, max=60)
)

# --- Accounts -----------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Per account and address, so that one client cannot lock out another.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.int("SIGN_IN_ATTEMPTS", 5, validate=validate.Range(min=1))
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "predictions.access.sign_in.answer_locked_out"
AXES_CLIENT_IP_CALLABLE = "predictions.access.client_address.counted_client"
# It keeps the forms of failed attempts, without these fields.
AXES_SENSITIVE_PARAMETERS = [
    *("username", "ip_address", "old_password", "new_password1", "new_password2")
]
AXES_DISABLE_ACCESS_LOG = True  # the audit log records it
AXES_ENABLE_ADMIN = False
KNOX_TOKEN_MODEL = "knox.AuthToken"  # noqa: S105 - not a secret; migrations ask for it
TOKEN_LIFETIME = timedelta(
    days=env.int("TOKEN_LIFETIME_DAYS", 90, validate=validate.Range(min=1, max=3650))
)

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "read"
LOGOUT_REDIRECT_URL = "read"

# --- Process ------------------------------------------------------------------------------------

read_serving(env)  # so that each command names what would stop gunicorn
LOG_FORMAT = env.str(
    "LOG_FORMAT",
    "console" if sys.stderr.isatty() else "json",
    validate=validate.OneOf(["console", "json"]),
)
LOGGING_CONFIG = None  # instead of Django's own:
configure_logging(LOG_FORMAT, env.log_level("LOG_LEVEL", logging.INFO))

# Otherwise LiteRT and OpenCV would each start a thread per core in every worker.
os.environ.setdefault("OMP_NUM_THREADS", "1")
