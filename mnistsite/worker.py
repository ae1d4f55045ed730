"""Gunicorn's threaded worker, with three promises more.

Slow clients hold no thread: a request is collected by the event loop, with a deadline for its head
and one for its body, and gets a thread when the whole of it is there. What is in work is bounded:
beyond that the loop itself answers 503 at once. Health checks have threads of their own.

And one promise among workers: a new connection goes to the one that has the fewest, and of one that
has more now and then a client is sent to connect anew: after a worker was killed, say.
"""

import json
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from mnistsite.connections import connection_counts
from mnistsite.incoming import Incoming

RECEIVE_BYTES = 262_144
# That a client has to take its last answer, or to send what it was about to when the worker stops.
LINGER_S = 2.0
# That a worker leaves a new connection to others, for each that it has more than one of them.
GIVE_WAY_S = 0.002
LONGEST_WAY_S = 0.02
# How often a worker looks whether another has fewer connections, by as many as this at least.
LOOK_EVERY_S = 0.02
MANY_MORE = 2
FOR_MACHINES = (b"GET /healthz ", b"GET /readyz ", b"GET /metrics ", b"HEAD /healthz ")
CONTINUE_RESPONSE = b"HTTP/1.1 100 Continue\r\n\r\n"


def refusal(status: str, code: str, message: str) -> bytes:
    """Make an answer in the site's own shape that needs no thread."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Retry-After: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


_UNAVAILABLE = "503 Service Unavailable"
REFUSALS = {
    code: refusal(status, code, message)
    for code, status, message in (
        ("busy", _UNAVAILABLE, "Too many pictures are being read. Try again in a second."),
        ("no_room", _UNAVAILABLE, "There is no room for this at the moment. Try again."),
        ("too_slow", "408 Request Timeout", "The request did not come in time. Send it again."),
    )
}


class Received(Unreader):
    """Gives gunicorn's parser what has come; it never waits for more."""

    def __init__(self, incoming: Incoming) -> None:
        super().__init__()
        self.incoming = incoming

    def chunk(self, size_hint: int | None = None) -> bytes:
        return self.incoming.content.read(max(size_hint or 0, 8192))


class Connection(TConn):
    """A client's connection with the request that is coming in on it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.incoming: Incoming | None = None
        self.early = b""  # what came of the next request already
        self.counts = False  # as work in flight
        self.deadline = 0.0

    def get_ready(self) -> None:
        """Let a thread parse what has come."""
        assert self.incoming is not None  # noqa: S101 - it was received
        self.parser = RequestParser(self.cfg, self.sock, self.client)
        self.parser.unreader = Received(self.incoming)
        self.initialized = self.data_ready = True


class Worker(ThreadWorker):
    """The worker class of mnistsite/gunicorn_config.py; every connection is one of its own."""

    def init_process(self) -> None:
        self.in_flight = 0
        self.waiting: set[Connection] = set()
        self.stopping_since: float | None = None
        self.gives_way_until: float | None = None
        self.looks_again_at = 0.0
        self.health_pool = ThreadPoolExecutor(2, "health")
        super().init_process()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(bool(enabled) and self.gives_way_until is None)

    def wait_for_and_dispatch_events(  # type: ignore[override]
        self, timeout: float
    ) -> None:
        """Do what is to be done; gunicorn calls this again and again."""
        if self.alive:
            connection_counts.note(self.age, self.nr_conns)
        else:
            connection_counts.forget(self.age)
        if self.gives_way_until is not None:
            timeout = min(timeout, max(0.0, self.gives_way_until - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        if self.gives_way_until is not None and self.gives_way_until <= time.monotonic():
            self.gives_way_until = None
            for listener in self.sockets:
                self._take_connection(listener)

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, unless another worker has fewer: for a moment it goes first."""
        surplus = connection_counts.surplus(self.age)
        if surplus:
            pause_s = min(surplus * GIVE_WAY_S, LONGEST_WAY_S)
            self.gives_way_until = time.monotonic() + pause_s
            self.set_accept_enabled(False)
        else:
            self._take_connection(listener)

    def _take_connection(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:  # type: ignore[override]
        """Begin to collect a request: gunicorn calls this when a connection has something."""
        conn.sock.setblocking(False)
        conn.incoming = Incoming(max_body_bytes=settings.WORKER_MAX_BODY_BYTES)
        self._wait(conn, settings.HEAD_TIMEOUT, self._receive)
        early, conn.early = conn.early, b""
        if early:
            self._take(conn, early)
        else:
            self._receive(conn)

    def _receive(self, conn: Connection) -> None:
        try:
            received = conn.sock.recv(RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            received = b""
        if received:
            self._take(conn, received)
        else:
            self._drop(conn)

    def _take(self, conn: Connection, received: bytes) -> None:
        incoming = conn.incoming
        assert incoming is not None  # noqa: S101 - it is made before anything is received
        head_was_complete = incoming.head_is_complete
        try:
            early = incoming.take(received)
        except OSError:
            self.log.exception("A request cannot be put into a temporary file.")
            self._refuse(conn, "no_room")
            return
        if early is not None:
            conn.early = early
            self._forget(conn)
            self._admit(conn)
        elif incoming.head_is_complete and not head_was_complete:
            conn.deadline = time.monotonic() + settings.BODY_TIMEOUT
            if incoming.expects_continue:
                self._send(conn, CONTINUE_RESPONSE)

    def _admit(self, conn: Connection) -> None:
        """Give a whole request to a thread, or refuse it when too many are in work."""
        assert conn.incoming is not None  # noqa: S101 - it was received
        is_health = conn.incoming.head.startswith(FOR_MACHINES)
        if not is_health and self.in_flight >= settings.MAX_IN_FLIGHT:
            self._refuse(conn, "busy")
            return
        conn.counts = not is_health
        self.in_flight += conn.counts
        conn.get_ready()
        future = (self.health_pool if is_health else self.tpool).submit(self.handle, conn)
        future.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:  # type: ignore[override]
        conn.sock.settimeout(settings.ANSWER_TIMEOUT)  # for all that is sent together
        if not conn.early and self._has_many_more():
            req.force_close()  # the answer says so, and who connects anew comes to another
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("A client did not take its answer in time.")
            return False

    def _has_many_more(self) -> bool:
        """Tell, now and then, whether another worker has fewer connections."""
        now = time.monotonic()
        if now < self.looks_again_at:
            return False
        self.looks_again_at = now + LOOK_EVERY_S
        return connection_counts.surplus(self.age) >= MANY_MORE

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        assert conn.incoming is not None  # noqa: S101 - it was received
        return keepalive and conn.incoming.whole  # else the body may still be on its way

    def finish_request(  # type: ignore[override]
        self, conn: Connection, future: "Future[bool]"
    ) -> None:
        """Go on with a connection when its request was answered; on the event loop."""
        assert conn.incoming is not None  # noqa: S101 - it was received
        conn.incoming.close()
        self.in_flight -= conn.counts
        if future.cancelled() or future.exception() or not future.result():
            self._linger(conn)
        elif conn.early:
            self.enqueue_req(conn)
        else:
            conn.sock.setblocking(False)
            idle_s = self.cfg.keepalive if self.alive else LINGER_S
            conn.timeout = time.monotonic() + idle_s
            self.keepalived_conns.append(conn)
            readable = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def murder_pending(self) -> None:
        """Part from those that were too slow; gunicorn calls this once a second, or more often."""
        now = time.monotonic()
        if not self.alive and self.stopping_since is None:
            self.stopping_since = now
        for conn in [conn for conn in self.waiting if self._is_late(conn, now)]:
            if conn.incoming is not None and conn.incoming.head:
                self._refuse(conn, "too_slow")
            else:
                self._drop(conn)

    def _is_late(self, conn: Connection, now: float) -> bool:
        silent = conn.incoming is not None and not conn.incoming.head
        if silent and self.stopping_since is not None:
            return self.stopping_since + LINGER_S < now
        return conn.deadline < now

    def _refuse(self, conn: Connection, code: str) -> None:
        from mnistsite.metrics import REFUSED  # counts in this process, so only after the fork

        REFUSED.labels(code).inc()
        self._send(conn, REFUSALS[code])
        self._linger(conn)

    def _send(self, conn: Connection, answer: bytes) -> None:
        with suppress(OSError):  # who does not listen is not waited for
            conn.sock.setblocking(False)
            conn.sock.send(answer)

    def _linger(self, conn: Connection) -> None:
        """Close when the client has: closing before would destroy an answer it has not read."""
        self._forget(conn)
        conn.incoming = None
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
        else:
            self._wait(conn, LINGER_S, self._discard)

    def _discard(self, conn: Connection) -> None:
        try:
            if conn.sock.recv(RECEIVE_BYTES):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._drop(conn)

    def _wait(
        self, conn: Connection, timeout_s: float, readable: Callable[[Connection], None]
    ) -> None:
        conn.deadline = time.monotonic() + timeout_s
        self.waiting.add(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: readable(conn))

    def _forget(self, conn: Connection) -> None:
        if conn in self.waiting:
            self.waiting.remove(conn)
            self.poller.unregister(conn.sock)

    def _drop(self, conn: Connection) -> None:
        self._forget(conn)
        if conn.incoming is not None:
            conn.incoming.close()
        self.nr_conns -= 1
        conn.close()
