"""Clients that send pictures without pause, and a ledger of what they were promised."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Event, Thread
from typing import Any

from tests.support.api_client import ApiResponse, post_picture

CLIENTS = 4
PAUSE_S = 0.05
ASK_AGAIN_AFTER_S = 0.3  # sooner than told, to try harder
PATIENCE_S = 240
# A request that comes too early is told so: the key's first request may still be in work.
LATER = {409, 503}


def as_read(body: dict[str, Any]) -> dict[str, Any]:
    """Return a prediction without the correction that it may have got since."""
    return {name: value for name, value in body.items() if name != "correction"}


@dataclass
class Load:
    """Clients at work. A context manager: at its end each has an answer to all that it sent.

    Parameters
    ----------
    url
        The site's.
    picture
        Draws the picture of a number.
    """

    url: str
    picture: Callable[[int], bytes]
    # Of each key what was answered first; and every answer at all.
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[ApiResponse] = field(default_factory=list)
    # Keys that were answered in two ways, and those that never were.
    differing: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._enough = Event()
        self._clients = [Thread(target=self._work, args=(number,)) for number in range(CLIENTS)]
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for client in self._clients:
            client.join()

    def acknowledged(self, since: float, until: float) -> list[ApiResponse]:
        """Return what was promised to those who asked and heard in that time."""
        return [
            answer
            for answer in self.answers
            if answer.status in {200, 201}
            and since <= answer.sent_at
            and answer.received_at <= until
        ]

    def refused(self, since: float, until: float) -> list[ApiResponse]:
        return [
            answer
            for answer in self.answers
            if answer.status not in {200, 201} and since <= answer.received_at <= until
        ]

    def figures(self, since: float, until: float) -> str:
        """Tell in words how it went in that time."""
        promised = self.acknowledged(since, until)
        refusals = Counter(
            f"{answer.status} {(answer.body or {}).get('error', {}).get('code')}"
            for answer in self.refused(since, until)
        )
        shown = ", ".join(f"{count} × {name}" for name, count in refusals.items()) or "none"
        return (
            f"{until - since:5.1f} s: {len(promised):4} acknowledged, refused: {shown}, "
            f"longest stall {self.longest_stall_s(since, until):.2f} s"
        )

    def longest_stall_s(self, since: float, until: float) -> float:
        """Return the longest time in which nobody was acknowledged anything."""
        moments = [
            answer.received_at
            for answer in self.answers
            if answer.status in {200, 201} and since <= answer.received_at <= until
        ]
        edges = [since, *sorted(moments), until]
        return max(later - earlier for earlier, later in pairwise(edges))

    def _work(self, client: int) -> None:
        number = client
        while not self._enough.wait(PAUSE_S):
            self._send_until_acknowledged(
                f"{client}-{number}", self.picture(number), once_more=number % 5 == 0
            )
            number += CLIENTS

    def _send_until_acknowledged(self, key: str, content: bytes, *, once_more: bool) -> None:
        """Send as a program does that must not lose a picture, or even once too often."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = post_picture(self.url, content, key)
            self.answers.append(answer)
            if answer.status not in {200, 201}:
                time.sleep(ASK_AGAIN_AFTER_S)
                continue
            read = as_read(answer.body)
            if self.ledger.setdefault(key, read) != read:
                self.differing.append(key)
            if answer.status == 200 or not once_more:
                return
        self.unanswered.append(key)
