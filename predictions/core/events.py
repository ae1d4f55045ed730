"""Events that somebody outside the site may want to know of."""

from typing import Any

import structlog

log = structlog.get_logger(__name__)


def notify(event: str, payload: dict[str, Any]) -> None:
    """Tell of an event, such as `drift.detected`, with what JSON can hold.

    Call it inside the transaction that records what happened, so that it is told once.
    """
    log.warning(event, **payload)
