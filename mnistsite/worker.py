"""Gunicorn's threaded worker with four additions.

- Slow clients hold no thread: the event loop receives a request, with a deadline for its headers
  and one for its body, and hands it to a thread when it is complete.
- The requests in flight are bounded; beyond that the event loop answers 503.
- Health checks and metrics have threads of their own.
- Connections are balanced: a new one goes to the worker with the fewest, and a worker with a
  surplus, after another was killed for example, now and then asks a client to reconnect.
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
from mnistsite.incoming import IncomingRequest

RECEIVE_BYTES = 262_144
# For a client to read its last response, or to send a request while the worker stops.
LINGER_S = 2.0
# How long a worker leaves a new connection to others, for each connection of its surplus.
ACCEPT_DELAY_S = 0.002
MAX_ACCEPT_DELAY_S = 0.02
# How often a worker may ask a client to reconnect, and from which surplus on.
REBALANCE_INTERVAL_S = 0.02
MIN_SURPLUS = 2
MONITORING_REQUESTS = ("GET {}/healthz ", "GET {}/readyz ", "GET {}/metrics ", "HEAD {}/healthz ")
CONTINUE_RESPONSE = b"HTTP/1.1 100 Continue\r\n\r\n"


def refusal(status: str, code: str, message: str) -> bytes:
    """Return a response in the site's error format, made without a thread."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Retry-After: 1\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return headers.encode() + body


_UNAVAILABLE = "503 Service Unavailable"
REFUSALS = {
    code: refusal(status, code, message)
    for code, status, message in (
        ("busy", _UNAVAILABLE, "Too many pictures are being read. Try again in a second."),
        ("no_room", _UNAVAILABLE, "The request cannot be stored at the moment. Try again."),
        ("too_slow", "408 Request Timeout", "The request was not received in time. Send it again."),
    )
}


class IncomingUnreader(Unreader):
    """Feeds gunicorn's parser from a complete request instead of a socket."""

    def __init__(self, incoming: IncomingRequest) -> None:
        super().__init__()
        self.incoming = incoming

    def chunk(self, size_hint: int | None = None) -> bytes:
        return self.incoming.content.read(max(size_hint or 0, 8192))


class Connection(TConn):
    """A client's connection and the request that is being received on it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.incoming: IncomingRequest | None = None
        self.pipelined = b""  # received bytes of the next request
        self.is_counted = False  # as in flight
        self.deadline = 0.0

    def prepare(self) -> None:
        """Set up gunicorn's parser for the complete request."""
        assert self.incoming is not None  # noqa: S101 - set by enqueue_req
        self.parser = RequestParser(self.cfg, self.sock, self.client)
        self.parser.unreader = IncomingUnreader(self.incoming)
        self.initialized = self.data_ready = True


class Worker(ThreadWorker):
    """The worker class of mnistsite/gunicorn_config.py; each of its connections is a Connection."""

    def init_process(self) -> None:
        self.in_flight = 0
        self.watched: set[Connection] = set()
        self.stopping_since: float | None = None
        self.accept_delayed_until: float | None = None
        self.next_rebalance_at = 0.0
        self.monitoring_requests = tuple(
            request.format(prefix).encode()
            for prefix in {"", settings.SCRIPT_NAME}
            for request in MONITORING_REQUESTS
        )
        self.monitoring_pool = ThreadPoolExecutor(2, "health")
        super().init_process()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(bool(enabled) and self.accept_delayed_until is None)

    def wait_for_and_dispatch_events(  # type: ignore[override]
        self, timeout: float
    ) -> None:
        """Handle one round of events; gunicorn calls this in its loop."""
        if self.alive:
            connection_counts.record(self.age, self.nr_conns)
        else:
            connection_counts.remove(self.age)
        if self.accept_delayed_until is not None:
            timeout = min(timeout, max(0.0, self.accept_delayed_until - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)
        if self.accept_delayed_until is not None and self.accept_delayed_until <= time.monotonic():
            self.accept_delayed_until = None
            for listener in self.sockets:
                self._accept_now(listener)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, after a delay where another worker has fewer connections."""
        surplus = connection_counts.surplus(self.age)
        if surplus:
            delay_s = min(surplus * ACCEPT_DELAY_S, MAX_ACCEPT_DELAY_S)
            self.accept_delayed_until = time.monotonic() + delay_s
            self.set_accept_enabled(False)
        else:
            self._accept_now(listener)

    def _accept_now(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:  # type: ignore[override]
        """Start to receive a request; gunicorn calls this when a connection has data."""
        conn.sock.setblocking(False)
        conn.incoming = IncomingRequest(max_body_bytes=settings.WORKER_MAX_BODY_BYTES)
        self._watch(conn, settings.HEAD_TIMEOUT, self._receive)
        pipelined, conn.pipelined = conn.pipelined, b""
        if pipelined:
            self._feed(conn, pipelined)
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
            self._feed(conn, received)
        else:
            self._close(conn)

    def _feed(self, conn: Connection, received: bytes) -> None:
        incoming = conn.incoming
        assert incoming is not None  # noqa: S101 - set by enqueue_req
        headers_were_complete = incoming.headers_complete
        try:
            pipelined = incoming.feed(received)
        except OSError:
            self.log.exception("Cannot write a request to a temporary file.")
            self._refuse(conn, "no_room")
            return
        if pipelined is not None:
            conn.pipelined = pipelined
            self._unwatch(conn)
            self._admit(conn)
        elif incoming.headers_complete and not headers_were_complete:
            conn.deadline = time.monotonic() + settings.BODY_TIMEOUT
            if incoming.expects_continue:
                self._send(conn, CONTINUE_RESPONSE)

    def _admit(self, conn: Connection) -> None:
        """Hand a complete request to a thread, or refuse it where too many are in flight."""
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        is_monitoring = conn.incoming.headers.startswith(self.monitoring_requests)
        if not is_monitoring and self.in_flight >= settings.MAX_IN_FLIGHT:
            self._refuse(conn, "busy")
            return
        conn.is_counted = not is_monitoring
        self.in_flight += conn.is_counted
        conn.prepare()
        future = (self.monitoring_pool if is_monitoring else self.tpool).submit(self.handle, conn)
        future.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def handle_request(self, req: Any, conn: Connection) -> bool:  # type: ignore[override]
        conn.sock.settimeout(settings.ANSWER_TIMEOUT)  # for the whole response
        if not conn.pipelined and self._should_rebalance():
            req.force_close()  # the client reconnects, and another worker accepts it
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.warning("A client did not read its response in time.")
            return False

    def _should_rebalance(self) -> bool:
        """Return whether to ask a client to reconnect; checks once per interval."""
        now = time.monotonic()
        if now < self.next_rebalance_at:
            return False
        self.next_rebalance_at = now + REBALANCE_INTERVAL_S
        return connection_counts.surplus(self.age) >= MIN_SURPLUS

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        return keepalive and conn.incoming.accepts_body  # else the body may still be coming

    def finish_request(  # type: ignore[override]
        self, conn: Connection, future: "Future[bool]"
    ) -> None:
        """Continue with a connection after its response; runs in the event loop."""
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        conn.incoming.close()
        self.in_flight -= conn.is_counted
        if future.cancelled() or future.exception() or not future.result():
            self._linger(conn)
        elif conn.pipelined:
            self.enqueue_req(conn)
        else:
            conn.sock.setblocking(False)
            idle_s = self.cfg.keepalive if self.alive else LINGER_S
            conn.timeout = time.monotonic() + idle_s
            self.keepalived_conns.append(conn)
            on_readable = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, on_readable)

    def murder_pending(self) -> None:
        """Close overdue connections; gunicorn calls this at least once a second."""
        now = time.monotonic()
        if not self.alive and self.stopping_since is None:
            self.stopping_since = now
        for conn in [conn for conn in self.watched if self._is_overdue(conn, now)]:
            if conn.incoming is not None and conn.incoming.headers:
                self._refuse(conn, "too_slow")
            else:
                self._close(conn)

    def _is_overdue(self, conn: Connection, now: float) -> bool:
        is_silent = conn.incoming is not None and not conn.incoming.headers
        if is_silent and self.stopping_since is not None:
            return self.stopping_since + LINGER_S < now
        return conn.deadline < now

    def _refuse(self, conn: Connection, code: str) -> None:
        from mnistsite.metrics import REFUSED  # after the fork: its file is per process

        REFUSED.labels(code).inc()
        self._send(conn, REFUSALS[code])
        self._linger(conn)

    def _send(self, conn: Connection, response: bytes) -> None:
        with suppress(OSError):  # a client that does not read is not waited for
            conn.sock.setblocking(False)
            conn.sock.send(response)

    def _linger(self, conn: Connection) -> None:
        """Close after the client has: closing earlier would discard a response it has not read."""
        self._unwatch(conn)
        conn.incoming = None
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            self._watch(conn, LINGER_S, self._drain)

    def _drain(self, conn: Connection) -> None:
        try:
            if conn.sock.recv(RECEIVE_BYTES):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._close(conn)

    def _watch(
        self, conn: Connection, timeout_s: float, on_readable: Callable[[Connection], None]
    ) -> None:
        conn.deadline = time.monotonic() + timeout_s
        self.watched.add(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: on_readable(conn))

    def _unwatch(self, conn: Connection) -> None:
        if conn in self.watched:
            self.watched.remove(conn)
            self.poller.unregister(conn.sock)

    def _close(self, conn: Connection) -> None:
        self._unwatch(conn)
        if conn.incoming is not None:
            conn.incoming.close()
        self.nr_conns -= 1
        conn.close()
