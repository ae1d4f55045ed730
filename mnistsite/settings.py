"""The site's settings, each read from the environment with a default for the local, embedded run.

docs/use/settings.md lists the variables. A bad value stops the start and is named.
"""

import logging
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from environs import Env, validate

from mnistsite import cassandra
from mnistsite.logs import logging_config
from mnistsite.networks import networks
from mnistsite.secret_key import read_or_make_secret_key

env = Env()

BASE_DIR = Path(__file__).resolve().parent.parent
# Everything that the site writes stands in here: database, secret key, what was trained.
VAR_DIR = Path(env.str("VAR_DIR", "") or BASE_DIR / "var").resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True)

# --- Who may reach the site, and how ------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", LOOPBACK_HOSTS)
# A site that answers to any other name is in production: it needs a secret key of its own and,
# unless HTTPS is switched off in words, TLS.
PRODUCTION = not DEBUG and not set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS)
HTTPS = env.bool("HTTPS", PRODUCTION)

SECRET_KEY = env.str("SECRET_KEY", "")
if not SECRET_KEY:
    if PRODUCTION:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set, and ALLOWED_HOSTS names other hosts than this machine. "
            "Set SECRET_KEY to a long random text that stays the same between starts."
        )
    SECRET_KEY = read_or_make_secret_key(VAR_DIR / "secret_key")

CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
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
        # data: for the pictures that style sheets carry, blob: for previews of chosen files.
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- The parts ----------------------------------------------------------------------------------

INSTALLED_APPS = [
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
]

MIDDLEWARE = [
    "mnistsite.middleware.RequestLogMiddleware",
    # Health checks come from inside, without TLS.
    "mnistsite.health.HealthMiddleware",
    "mnistsite.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "mnistsite.middleware.ContentSecurityPolicyMiddleware",
    "mnistsite.middleware.BodyLimitMiddleware",
    "mnistsite.middleware.UnavailableMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "predictions.api.plain.PlainUploadMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

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
        },
    },
]

# --- Where things are kept ----------------------------------------------------------------------

PREDICTION_STORE = env.str("PREDICTION_STORE", "sql", validate=validate.OneOf(["sql", "cassandra"]))

SQLITE_SYNCHRONOUS = env.str(
    "SQLITE_SYNCHRONOUS", "NORMAL", validate=validate.OneOf(["NORMAL", "FULL"])
)
DATABASES: dict[str, Any] = {
    "default": env.dj_db_url("DATABASE_URL")
    if env.str("DATABASE_URL", "")
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": VAR_DIR / "db.sqlite3"}
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"] |= {
        # One connection a thread, kept: opening a file and setting pragmas costs more than a query.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Take the write lock at BEGIN: a lock that is asked for later cannot be waited for.
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,  # seconds that a writer waits for another
            "init_command": (
                "PRAGMA journal_mode=WAL;"
                f"PRAGMA synchronous={SQLITE_SYNCHRONOUS};"
                # A checkpoint holds a writer up: every 16 MB, which is 800 pictures, not every 4.
                "PRAGMA wal_autocheckpoint=4000;"
                "PRAGMA cache_size=-16000;"  # 16 MB
                "PRAGMA temp_store=MEMORY;"
            ),
        },
    }
else:
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)

RETENTION_DAYS = env.int(
    "RETENTION_DAYS", 0, validate=validate.Range(min=0, max=7300)
)  # 0: for ever
CASSANDRA_KEYSPACE = cassandra.keyspace(env)
CASSANDRA_REPLICATION = cassandra.replication(env)
# Over how many partitions a day's predictions are spread: docs/run/scaling.md.
CASSANDRA_SHARDS = env.int("CASSANDRA_SHARDS", 4, validate=validate.Range(min=1, max=1024))
# How the cluster is reached: by the store, or else only by what reads a table there.
CASSANDRA_DATABASE = partial(cassandra.database, env)
if PREDICTION_STORE == "cassandra":
    INSTALLED_APPS.insert(0, "django_cassandra_engine")
    DATABASES["cassandra"] = CASSANDRA_DATABASE()
    CASSANDRA_FALLBACK_ORDER_BY_PYTHON = False  # the engine reads it, and has no default

# Counters of requests. In each worker's memory, unless all share a cache server (redis://…).
CACHES = {"default": env.dj_cache_url("CACHE_URL", "locmem://")}
if "locmem" in CACHES["default"]["BACKEND"]:
    CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 100_000}
else:
    CACHES["default"]["OPTIONS"] = {"socket_timeout": 1, "socket_connect_timeout": 1}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
# Collected when the site is installed, not when it starts: see the Makefile.
STATIC_ROOT = Path(env.str("STATIC_ROOT", "") or BASE_DIR / "build" / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "mnistsite.staticfiles.StaticFilesStorage"},
}

# --- Reading pictures ---------------------------------------------------------------------------

MODEL_DIR = BASE_DIR / "ml" / "models"
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", 20_000_000, validate=validate.Range(min=1))
MAX_PIXELS = env.int("MAX_PIXELS", 64_000_000, validate=validate.Range(min=784))
MAX_PAGES = env.int("MAX_PAGES", 20, validate=validate.Range(min=1, max=100))
MAX_BATCH_FILES = env.int("MAX_BATCH_FILES", 100, validate=validate.Range(min=1, max=10_000))
MAX_BATCH_BYTES = env.int("MAX_BATCH_BYTES", 100_000_000, validate=validate.Range(min=1))
# By the least sure digit's (calibrated) probability; docs/measure/accuracy.md says why these.
REVIEW_BELOW_CONFIDENCE = env.float(
    "REVIEW_BELOW_CONFIDENCE", 0.85, validate=validate.Range(min=0, max=1)
)
# By the surest digit's: where all are less sure than that, there is none.
UNREADABLE_BELOW_CONFIDENCE = env.float(
    "UNREADABLE_BELOW_CONFIDENCE", 0.1, validate=validate.Range(min=0, max=1)
)
KEEP_PICTURES = env.str("KEEP_PICTURES", "preview", validate=validate.OneOf(["preview", "none"]))
ANONYMOUS_READING = env.bool("ANONYMOUS_READING", True)

# Requests: a body may hold a picture as base64 (4/3 of its size) and a form around it.
MAX_BODY_BYTES = MAX_UPLOAD_BYTES * 4 // 3 + 65_536
LONGEST_BODY_BYTES = max(MAX_BODY_BYTES, MAX_BATCH_BYTES)  # at any address
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
DATA_UPLOAD_MAX_NUMBER_FILES = MAX_BATCH_FILES + 1  # so that a batch of one more is told so

# --- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First the one that has a name for what is missing: so an answer to nobody is 401, not 403.
        "predictions.api.authentication.APITokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["predictions.api.permissions.MayRead"],
    "DEFAULT_THROTTLE_CLASSES": ["predictions.api.throttles.ClientThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "predictions.api.negotiation.ContentNegotiation",
    "DEFAULT_SCHEMA_CLASS": "predictions.api.schema.Description",
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
    "DESCRIPTION": "Reads handwritten digits in pictures and keeps every reading.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "Source": "predictions.api.serializers.SOURCES",
        "ClientSource": "predictions.api.serializers.CLIENT_SOURCES",
        "Status": "predictions.api.serializers.STATUSES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "predictions.api.schema.describe_refusals",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- Limits --------------------------------------------------------------------------------------

# Requests a minute of one client; 0 for no limit. On this machine only a program gone wild is held.
RATE = validate.Range(min=0)
RATE_LIMIT_ANONYMOUS = env.int("RATE_LIMIT_ANONYMOUS", 300 if PRODUCTION else 60_000, validate=RATE)
RATE_LIMIT_USER = env.int("RATE_LIMIT_USER", 3_000 if PRODUCTION else 60_000, validate=RATE)
# Of one worker: requests that are in work or wait for a thread; one more is answered 503.
MAX_IN_FLIGHT = env.int("MAX_IN_FLIGHT", 64, validate=validate.Range(min=1))
# Seconds that a client has for the head of its request, for its body, and to take the answer.
SECONDS = validate.Range(min=0, min_inclusive=False, max=3600)
HEAD_TIMEOUT = env.float("HEAD_TIMEOUT", 10.0, validate=SECONDS)
BODY_TIMEOUT = env.float("BODY_TIMEOUT", 60.0, validate=SECONDS)
ANSWER_TIMEOUT = env.float("ANSWER_TIMEOUT", 30.0, validate=SECONDS)
# Who may read /metrics.
METRICS_ALLOWED_NETWORKS = networks(env, "METRICS_ALLOWED_NETWORKS", "127.0.0.0/8,::1")
# How many proxies stand in front and append to X-Forwarded-For whom they answer.
PROXY_COUNT = env.int("PROXY_COUNT", 0, validate=validate.Range(min=0, max=9))

# --- People, languages, logs --------------------------------------------------------------------

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Wrong passwords for one account from one address; so nobody locks out somebody else.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.int("SIGN_IN_ATTEMPTS", 5, validate=validate.Range(min=1))
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "predictions.access.sign_in.answer_locked_out"
AXES_CLIENT_IP_CALLABLE = "predictions.access.client_address.client_address"
AXES_DISABLE_ACCESS_LOG = True  # the audit log says it
AXES_ENABLE_ADMIN = False
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

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
if len(LANGUAGES) > 1:  # else there is none to choose, for each request anew
    common = MIDDLEWARE.index("django.middleware.common.CommonMiddleware")
    MIDDLEWARE.insert(common, "django.middleware.locale.LocaleMiddleware")
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

LOG_FORMAT = env.str(
    "LOG_FORMAT",
    "console" if sys.stderr.isatty() else "json",
    validate=validate.OneOf(["console", "json"]),
)
LOGGING_CONFIG = None  # structlog and the standard library are set up together:
logging_config(LOG_FORMAT, env.log_level("LOG_LEVEL", logging.INFO))

# LiteRT and OpenCV would each start a thread per core in every worker.
os.environ.setdefault("OMP_NUM_THREADS", "1")
