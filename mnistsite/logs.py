"""Structured logs: one line an event, as JSON or for a terminal, with the request's id on it."""

import logging.config
from typing import Any

import orjson
import structlog


def _dumps(event: Any, **options: Any) -> str:
    return orjson.dumps(event, default=options["default"]).decode()


def logging_config(log_format: str, level: int) -> None:
    """Set up structlog and the standard library's logging to write alike, to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if log_format == "json":
        rendering: list[Any] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_dumps),
        ]
    else:
        rendering = [structlog.dev.ConsoleRenderer()]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder()],
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *rendering,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                # Said once by the request's own line already.
                "django.request": {"level": "ERROR"},
                "django.server": {"level": "WARNING"},
                # The audit log says it.
                "axes": {"level": "ERROR"},
                # Each attempt to reach a node that is down, with its traceback; the store's own
                # line says what it comes to.
                "cassandra": {"level": "CRITICAL"},
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
