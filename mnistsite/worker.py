"""Gunicorn's threaded worker with seven additions.

- Slow clients hold no thread: the event loop receives a request, with a deadline for its headers
  and one for its body, and hands it to a thread when it is complete. It sends what a client does
  not take at once of the response, with one deadline for all of it.
- The event loop's own thread answers small requests, which costs a tenth less than to hand them
  over. Where that takes long, another thread runs the loop meanwhile, and further ones answer.
- The requests in flight are bounded, those of one client more so; beyond that the event loop
  answers 503. Clients take turns.
- A thread that waits for the decoding of a file (`ml.files.isolation`), or reads one that is costly
  (`ml.reading.budget`), does not count as one of WEB_THREADS, so such files hold up nobody else.
  The latter gives way to all other requests.
- Each health check, and the metrics, has a thread of its own.
- What the event loop refuses counts against its client's rate limit, too.
- Connections are balanced: a new one goes to the worker with the fewest, and a worker with a
  surplus, after another was killed for example, now and then asks a client to reconnect.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from ml.files import isolation
from ml.memory import give_memory_back
from mnistsite.connections import connection_counts
from mnistsite.incoming import IncomingRequest, counted_peer
from mnistsite.outgoing import Outgoing
from mnistsite.refusals import PARSE_REFUSALS, refusal
from mnistsite.shares import Shares
from mnistsite.spool import Spool
from mnistsite.stand_in import StandIn
from mnistsite.turns import Threads

RECEIVE_BYTES = 262_144
# For a client to read its last response, or to send a request while the worker stops.
LINGER_S = 2.0
# How long a worker leaves a new connection to others, for each connection of its surplus.
ACCEPT_DELAY_S = 0.002
MAX_ACCEPT_DELAY_S = 0.02
ACCEPT_PAUSE_S = 1.0  # where that failed
# How often a worker may ask a client to reconnect, and from which surplus on.
REBALANCE_INTERVAL_S = 0.02
MIN_SURPLUS = 2
# Of a costly file, a step takes 4 ms. So it goes on at two thirds of its speed however busy others
# are. Lower priorities would be worse: a thread that holds the interpreter's lock holds up all.
GIVE_WAY_S = 0.002
# A thread that wants the interpreter's lock waits so long before it asks for it, each time it has
# waited for a file or the network. Python's own 5 ms add up to seconds beside threads that read.
SWITCH_S = 0.001
MAX_SMALL_BYTES = 32_768  # of the body of a request: a form, or a picture of a few digits at most
SLICE_S = 0.003  # for small requests, before the loop looks for other events
LONG_S = 0.1  # a request that took so long may have needed much memory
# Where most requests take longer, since they wait for a cluster for example, threads answer all of
# them for a while. The last ones count most: so many, roughly.
QUICK_S, RETRY_S, LAST = 0.005, 1.0, 16
MONITORING_PATHS = {"/healthz", "/readyz", "/metrics"}
CONTINUE_RESPONSE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(TConn):
    """A client's connection, the request being received on it, and the response being sent."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.incoming: IncomingRequest | None = None
        self.outgoing: Outgoing | None = None
        self.give_back: Callable[[], None] = lambda: None  # its place among the connections
        self.pipelined = b""  # received bytes of the next request
        self.is_counted = False  # as in flight
        self.deadline = 0.0

    def prepare(self, room: Shares) -> None:
        """Have gunicorn respond to the parsed request, into a spool instead of the socket."""
        assert self.incoming is not None  # noqa: S101 - set by enqueue_req
        self.parser = iter([self.incoming.request])  # type: ignore[assignment]
        self.outgoing = Outgoing(self.sock, Spool(room, self.incoming.client))
        self.sock = self.outgoing  # type: ignore[assignment]
        self.initialized = self.data_ready = True

    def close(self, graceful: bool = False) -> None:
        super().close(graceful)
        self.give_back()


class Worker(ThreadWorker):
    """The worker class of mnistsite/gunicorn_config.py; each of its connections is a Connection."""

    def init_process(self) -> None:
        self.in_flight = Shares(settings.MAX_IN_FLIGHT)
        self.connections = Shares(self.cfg.worker_connections)
        self.watched: set[Connection] = set()
        self.room_for_requests = Shares(settings.MAX_SPOOLED_BYTES)
        self.room_for_responses = Shares(settings.MAX_SPOOLED_BYTES)
        self.stopping_since: float | None = None
        self.accept_delayed_until: float | None = None
        self.next_rebalance_at = 0.0
        pool = ThreadPoolExecutor(self.cfg.threads + settings.MAX_IN_FLIGHT)
        self.threads = Threads(pool, self.cfg.threads, self._answer)
        isolation.idle, isolation.give_way = self.threads.idle, self._give_way
        # A thread for each, so that a store that hangs delays no check that does not ask it.
        self.monitoring = {
            path: Threads(ThreadPoolExecutor(1, path), 1, self._answer) for path in MONITORING_PATHS
        }
        self.refused: Counter[str] = Counter()  # requests by client, not yet counted
        self.counting = ThreadPoolExecutor(1, "counting")
        self.counted: Future[None] | None = None
        self.stand_in = StandIn(self._run_once, wake=partial(self.method_queue.defer, int))
        self.slow_share = self.quick_again_at = 0.0
        self.quits: tuple[Any, ...] = ()
        sys.setswitchinterval(SWITCH_S)
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return the pool that gunicorn shuts down."""
        return self.threads.pool

    def _give_way(self) -> None:
        others = self.stand_in.is_loop_busy and not self.stand_in.is_loops_thread()
        if others or self.threads.are_any_busy:
            time.sleep(GIVE_WAY_S)

    def run(self) -> None:
        # Where signals write their numbers at once; the loop's thread may be busy in C.
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._hear_signals)
        super().run()

    def _hear_signals(self, pipe: Any) -> None:
        if signal.SIGTERM in os.read(pipe, 4096):
            self.alive = False

    def handle_quit(self, *signal_and_frame: Any) -> None:
        """Exit, but not from within a request."""
        if self.stand_in.is_loop_busy:
            self.quits = signal_and_frame
        else:
            super().handle_quit(*signal_and_frame)

    def _run_once(self) -> None:
        """Do one round of gunicorn's loop, where its own thread is busy."""
        self.notify()
        self.alive &= self.is_parent_alive()
        self.set_accept_enabled(self.alive and self.nr_conns < self.worker_connections)
        self.wait_for_and_dispatch_events(1.0)
        self.murder_keepalived()
        self.murder_pending()

    def _answer(self, conn: Connection) -> None:
        """Answer a request; runs in a thread."""
        keepalive = False
        try:
            keepalive = self._respond(conn)
        finally:
            self.method_queue.defer(self.finish_request, conn, keepalive)

    def _answer_small(self) -> None:
        """Answer small requests in the event loop's thread, for a moment."""
        end = time.monotonic() + SLICE_S
        while self._answers_itself and time.monotonic() < end:
            conn = self.threads.take_small()
            if conn is None:
                return
            began = time.monotonic()
            with self.stand_in.may_take_over():
                keepalive = self._respond(conn)
            was_slow = time.monotonic() - began > QUICK_S
            self.slow_share += (was_slow - self.slow_share) / LAST
            if self.slow_share > 0.5:
                self.slow_share, self.quick_again_at = 0.5, time.monotonic() + RETRY_S
            self.finish_request(conn, keepalive)
            if self.quits:
                self.handle_quit(*self.quits)

    @property
    def _answers_itself(self) -> bool:
        """Whether this thread, if the loop's own, answers small requests: unless most are slow."""
        return self.stand_in.is_loops_thread() and self.quick_again_at <= time.monotonic()

    def _respond(self, conn: Connection) -> bool:
        """Return whether the connection is kept."""
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        isolation.client.set(conn.incoming.client)
        began = time.monotonic()
        try:
            return bool(self.handle(conn))
        except Exception:  # which gunicorn handles, but for what its own handling raises
            self.log.exception("A request cannot be answered.")
            return False
        finally:
            if time.monotonic() - began > LONG_S:
                give_memory_back()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(bool(enabled) and self.accept_delayed_until is None)
        if not enabled and not self.alive:
            self._stop_listening()

    def _stop_listening(self) -> None:
        """Accept the connections that wait, and have later ones refused.

        gunicorn would let them wait until this worker ends, and reset them then. A proxy sends a
        refused request to another site, but not one that may have been read.
        """
        listeners, self.sockets = self.sockets, []
        for listener in listeners:
            while self.nr_conns < self.worker_connections and self._accept_now(listener):
                pass
            listener.close()

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
        if self.threads.has_small:
            if self._answers_itself:
                timeout = 0
            else:
                self.threads.begin()
        for key, _ in self.poller.select(timeout):
            key.data(key.fileobj)
        self._answer_small()
        if self.accept_delayed_until is not None and self.accept_delayed_until <= time.monotonic():
            self.accept_delayed_until = None
            for listener in self.sockets:
                self._accept_now(listener)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, after a delay where another worker has fewer connections."""
        surplus = connection_counts.surplus(self.age)
        if surplus:
            self._delay_accept(min(surplus * ACCEPT_DELAY_S, MAX_ACCEPT_DELAY_S))
        else:
            self._accept_now(listener)

    def _delay_accept(self, delay_s: float) -> None:
        self.accept_delayed_until = time.monotonic() + delay_s
        self.set_accept_enabled(False)

    def _accept_now(self, listener: socket.socket) -> bool:
        """Return whether there was a connection to accept."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:  # too many open files, for example; some may be closed soon
            self.log.warning("A connection cannot be accepted: %s", error)
            self._delay_accept(ACCEPT_PAUSE_S)
            return False
        conn = Connection(self.cfg, client, address, listener.getsockname())
        # The peer is the client, unless there is a proxy, whose connections are many clients'.
        if isinstance(address, tuple) and not settings.PROXY_COUNT:
            who = counted_peer(address)
            if not self.connections.take(who, 1):
                self._say_refused(conn, "too_many_connections")
                conn.close()
                return True
            conn.give_back = partial(self.connections.give_back, who, 1)
        self.nr_conns += 1
        self.enqueue_req(conn)
        return True

    def enqueue_req(self, conn: Connection) -> None:  # type: ignore[override]
        """Start to receive a request; gunicorn calls this when a connection has data."""
        conn.sock.setblocking(False)
        conn.incoming = IncomingRequest(self.cfg, conn.client, self.room_for_requests)
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
        headers_were_complete = incoming.request is not None
        try:
            pipelined = incoming.feed(received)
        except ParseException as error:
            self._refuse(conn, PARSE_REFUSALS.get(type(error), "bad_request"))
            return
        except OSError as error:
            self.log.warning("A request cannot be stored: %s", error)
            self._refuse(conn, "no_room")
            return
        if pipelined is not None:
            conn.pipelined = pipelined
            self._unwatch(conn)
            self._admit(conn)
        elif incoming.request is not None and not headers_were_complete:
            conn.deadline = time.monotonic() + settings.BODY_TIMEOUT
            if incoming.expects_continue:
                self._send(conn, CONTINUE_RESPONSE)

    def _admit(self, conn: Connection) -> None:
        """Have a complete request answered, or refuse it where too many are in flight."""
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        is_monitoring = conn.incoming.path in MONITORING_PATHS and conn.incoming.request.method in {
            "GET",
            "HEAD",
        }
        client = conn.incoming.client
        if not is_monitoring and not self.in_flight.take(client, 1):
            self._refuse(conn, "busy")
            return
        conn.is_counted = not is_monitoring
        conn.prepare(self.room_for_responses)
        if is_monitoring:
            self.monitoring[conn.incoming.path].add(client, conn)
        else:
            is_small = conn.incoming.body_bytes <= MAX_SMALL_BYTES
            self.threads.add(client, conn, is_small=is_small)

    def handle_request(self, req: Any, conn: Connection) -> bool:  # type: ignore[override]
        if not conn.pipelined and self._should_rebalance():
            req.force_close()  # the client reconnects, and another worker accepts it
        return bool(super().handle_request(req, conn))

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
        self, conn: Connection, keepalive: bool
    ) -> None:
        """Send the rest of a response; runs in the event loop when its thread is done."""
        assert conn.incoming is not None  # noqa: S101 - set by enqueue_req
        assert conn.outgoing is not None  # noqa: S101 - set by prepare
        conn.incoming.close()
        conn.sock = conn.outgoing.sock
        if conn.is_counted:
            self.in_flight.give_back(conn.incoming.client, 1)
        if conn.outgoing.error is not None:
            self.log.warning("A response is cut off: %s", conn.outgoing.error)
        send_rest = partial(self._send_rest, keepalive=keepalive)
        self._watch(conn, settings.ANSWER_TIMEOUT, send_rest, selectors.EVENT_WRITE)
        send_rest(conn)

    def _send_rest(self, conn: Connection, *, keepalive: bool) -> None:
        assert conn.outgoing is not None  # noqa: S101 - set by prepare
        try:
            if not conn.outgoing.flush():
                return
        except OSError:
            self._close(conn)
            return
        self._unwatch(conn)
        conn.outgoing.discard()
        conn.outgoing = None
        if not keepalive:
            self._linger(conn)
        elif conn.pipelined:
            self.enqueue_req(conn)
        else:
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
            if conn.outgoing is not None:
                self.log.warning("A client did not read its response in time.")
                self._close(conn)
            elif conn.incoming is not None and conn.incoming.has_begun:
                self._refuse(conn, "too_slow")
            else:
                self._close(conn)
        self._count_refused()

    def _count_refused(self) -> None:
        """Count refused requests in a thread: the counters may be in a cache server."""
        if self.refused and (self.counted is None or self.counted.done()):
            from predictions.access.rate_limits import count_refused  # needs Django's models

            refused, self.refused = self.refused, Counter()
            self.counted = self.counting.submit(count_refused, refused)

    def _is_overdue(self, conn: Connection, now: float) -> bool:
        is_silent = (
            conn.outgoing is None and conn.incoming is not None and not conn.incoming.has_begun
        )
        if is_silent and self.stopping_since is not None:
            return self.stopping_since + LINGER_S < now
        return conn.deadline < now

    def _refuse(self, conn: Connection, code: str) -> None:
        # Where its headers were not read, nobody knows for whom a proxy sent it.
        client = conn.incoming.client if conn.incoming else ""
        self.refused[client or counted_peer(conn.client)] += 1
        self._say_refused(conn, code)
        self._linger(conn)

    def _say_refused(self, conn: Connection, code: str) -> None:
        from mnistsite.metrics import REFUSED  # after the fork: its file is per process

        REFUSED.labels(code).inc()
        incoming = conn.incoming
        path, origin = (incoming.path, incoming.origin) if incoming else ("", "")
        self._send(conn, refusal(code, path, origin))

    def _send(self, conn: Connection, response: bytes) -> None:
        with suppress(OSError):  # a client that does not read is not waited for
            conn.sock.setblocking(False)
            conn.sock.send(response)

    def _linger(self, conn: Connection) -> None:
        """Close after the client has: closing earlier would discard a response it has not read."""
        self._unwatch(conn)
        if conn.incoming is not None:
            conn.incoming.close()
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
        self,
        conn: Connection,
        timeout_s: float,
        on_ready: Callable[[Connection], None],
        event: int = selectors.EVENT_READ,
    ) -> None:
        conn.deadline = time.monotonic() + timeout_s
        self.watched.add(conn)
        self.poller.register(conn.sock, event, lambda _: on_ready(conn))

    def _unwatch(self, conn: Connection) -> None:
        if conn in self.watched:
            self.watched.remove(conn)
            self.poller.unregister(conn.sock)

    def _close(self, conn: Connection) -> None:
        self._unwatch(conn)
        if conn.incoming is not None:
            conn.incoming.close()
        if conn.outgoing is not None:
            conn.outgoing.discard()
        self.nr_conns -= 1
        conn.close()
