"""Structured logs: one line an event, as JSON or for a terminal, with the request's id on it."""

import logging.config
import sys
from typing import Any

import orjson
import structlog


def configure_logging(log_format: str, level: int) -> None:
    """Set up structlog and the standard library's logging to write alike, to standard error.

    The site's own lines are written by structlog itself, which takes half the time.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering: list[Any] = [structlog.dev.ConsoleRenderer(), _encode]
    if log_format == "json":
        as_json = structlog.processors.JSONRenderer(orjson.dumps)
        rendering = [structlog.processors.format_exc_info, as_json]
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
                        _decode,
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
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


def _encode(logger: Any, method: str, line: str) -> bytes:
    return line.encode()


def _decode(logger: Any, method: str, line: bytes) -> str:
    return line.decode()
