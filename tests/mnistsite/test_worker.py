"""The worker: slow clients, overload, stopping, reloading and balancing."""

import json
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import psutil
import pytest

from mnistsite.worker import RETRY_S
from tests.conftest import Server, StartServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.server
Png = Callable[..., bytes]
URL = "/api/v1/predictions"
TIMEOUT_S = 8.0
ORIGIN = "https://app.example.org"  # whose pages may call the API
STRANGER = ("127.0.0.2", 0)  # another address of this machine to send from
QUICK_S = 5.0  # that a busy test machine may take to answer what takes milliseconds


@pytest.fixture(scope="module")
def small(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server of one worker with two threads, short timeouts and a low MAX_IN_FLIGHT."""
    return start_server(
        tmp_path_factory.mktemp("small"),
        WEB_CONCURRENCY="1",
        WEB_THREADS="2",
        MAX_IN_FLIGHT="5",  # three of one client
        CORS_ALLOWED_ORIGINS=ORIGIN.upper(),
        HEAD_TIMEOUT=str(TIMEOUT_S),
        BODY_TIMEOUT=str(TIMEOUT_S),
    )


@pytest.fixture(scope="session")
def slow_picture() -> bytes:
    """A picture of 40 million pixels, which takes a large part of a second to read."""
    return cv2.imencode(".png", np.full((5000, 8000), 255, np.uint8))[1].tobytes()


def address(server: Server) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(server.url).port or 0


def form(picture: bytes) -> tuple[bytes, dict[str, str]]:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + picture + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def ask(
    connection: HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes, HTTPResponse]:
    connection.request(method, path, body or None, headers)
    response = connection.getresponse()
    return response.status, response.read(), response


def send_picture(
    server: Server, picture: bytes, source: tuple[str, int] | None = None
) -> tuple[int, bytes, HTTPResponse]:
    body, headers = form(picture)
    headers["Origin"] = ORIGIN
    connection = HTTPConnection(*address(server), timeout=60, source_address=source)
    try:
        return ask(connection, "POST", URL, body, **headers)
    finally:
        connection.close()


def read_answer(client: socket.socket) -> bytes:
    answer = b""
    while part := client.recv(65536):
        answer += part
    return answer


@pytest.fixture
def trickle() -> Iterator[Callable[[Server, bytes], socket.socket]]:
    """Start clients that send a first part and then a byte every 0.1 s."""
    with ExitStack() as stack:
        over = threading.Event()
        stack.callback(over.set)

        def start(server: Server, first: bytes) -> socket.socket:
            client = stack.enter_context(socket.create_connection(address(server), 20))
            client.sendall(first)

            def send() -> None:
                try:
                    while not over.wait(0.1):
                        client.send(b"a")
                except OSError:
                    pass

            threading.Thread(target=send, daemon=True).start()
            return client

        yield start


HEAD = b"POST /api/v1/predictions HTTP/1.1\r\nHost: localhost\r\n"


def test_slow_clients_do_not_delay_others(
    small: Server, trickle: Callable[[Server, bytes], socket.socket], png: Png
) -> None:
    started = time.monotonic()
    firsts = (HEAD + b"X-Long: ", HEAD + b"Content-Length: 1000\r\n\r\n")
    slow = [trickle(small, first) for first in firsts for _ in range(6)]
    infer = (
        b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    )
    slow_client_of_a_protocol = trickle(small, infer)
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address(small), 20)) for _ in range(6)
        ]
        for _ in range(3):
            asked = time.monotonic()
            assert send_picture(small, png("7"))[0] == 201
            assert time.monotonic() - asked < QUICK_S
        for client in slow:
            answer = read_answer(client)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "too_slow"
        answer = read_answer(slow_client_of_a_protocol)
        assert answer.startswith(b"HTTP/1.1 408 ")
        error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert error.startswith("The request was not received in time.")
        assert time.monotonic() - started < TIMEOUT_S + QUICK_S
        assert [read_answer(client) for client in silent] == [b""] * 6


def test_a_small_upload_that_waits_for_the_store_holds_nobody_up(small: Server, png: Png) -> None:
    """The event loop's thread answers it; meanwhile another one runs the loop."""
    time.sleep(RETRY_S)  # so that no slow request came before
    body, headers = form(png("7"))
    database = sqlite3.connect(small.var_dir / "db.sqlite3", isolation_level=None)
    with closing(database), ExitStack() as stack:
        waits, others = (
            stack.enter_context(closing(HTTPConnection(*address(small), timeout=60)))
            for _ in range(2)
        )
        database.execute("BEGIN IMMEDIATE")
        waits.request("POST", URL, body, headers)
        time.sleep(0.2)
        for path in ("/healthz", URL, "/"):
            asked = time.monotonic()
            assert ask(others, "GET", path)[0] == 200
            assert time.monotonic() - asked < 2, "a locked database is waited for 5 s"
        database.execute("ROLLBACK")
        assert waits.getresponse().status == 201


def test_a_stop_is_heard_while_the_event_loop_s_thread_waits(
    start_server: StartServer, tmp_path: Path, png: Png
) -> None:
    server = start_server(tmp_path, WEB_CONCURRENCY="1")
    body, headers = form(png("7"))
    database = sqlite3.connect(tmp_path / "db.sqlite3", isolation_level=None)
    with closing(database), ExitStack() as stack:
        waits, other = (
            stack.enter_context(closing(HTTPConnection(*address(server), timeout=60)))
            for _ in range(2)
        )
        assert ask(other, "GET", "/healthz")[2].headers["Connection"] != "close"
        database.execute("BEGIN IMMEDIATE")
        waits.request("POST", URL, body, headers)
        time.sleep(0.2)
        psutil.Process(server.process.pid).children()[0].send_signal(signal.SIGTERM)
        time.sleep(0.2)
        asked = time.monotonic()
        assert ask(other, "GET", "/healthz")[2].headers["Connection"] == "close"
        assert time.monotonic() - asked < 2, "a locked database is waited for 5 s"
        database.execute("ROLLBACK")
        assert waits.getresponse().status == 201
    assert server.stop() == 0


def test_a_client_with_many_connections_leaves_some_to_others(small: Server) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address(small), 20, STRANGER))
            for _ in range(500)
        ]
        asked = time.monotonic()
        connection = HTTPConnection(*address(small), timeout=20)
        assert ask(connection, "GET", "/healthz")[0] == 200
        assert time.monotonic() - asked < QUICK_S
        connection.close()
        answer = read_answer(silent[-1])
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"too many connections" in answer


def test_clients_that_keep_a_closed_connection_do_not_delay_others(small: Server) -> None:
    with ExitStack() as stack:
        lazy = [stack.enter_context(socket.create_connection(address(small), 20)) for _ in range(6)]
        for client in lazy:
            client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        asked = time.monotonic()
        connection = HTTPConnection(*address(small), timeout=20)
        assert ask(connection, "GET", "/api/v1/")[0] == 200
        assert time.monotonic() - asked < QUICK_S, "gunicorn's own lingers 2 s for each of them"
        connection.close()
        assert all(b"200 OK" in read_answer(client) for client in lazy)


def test_overload_is_refused_at_once_and_health_checks_answer(
    small: Server, slow_picture: bytes
) -> None:
    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(send_picture, small, slow_picture) for _ in range(12)]
        time.sleep(0.2)
        for path in ("/healthz", "/readyz", "/healthz?a=1", "/%72eadyz?", "http://a/healthz"):
            asked = time.monotonic()
            connection = HTTPConnection(*address(small), timeout=20)
            assert ask(connection, "GET", path)[0] == 200
            assert time.monotonic() - asked < QUICK_S
            connection.close()
        answers = [future.result() for future in waiting]
    statuses = sorted(status for status, _, _ in answers)
    assert set(statuses) == {201, 503}
    assert statuses.count(201) >= 3
    for status, body, response in answers:
        if status == 503:
            assert json.loads(body)["error"]["code"] == "busy"
            assert response.headers["Retry-After"] == "1"
        # A page of that origin is told in words, too.
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "retry-after" in response.headers["Access-Control-Expose-Headers"]
    connection = HTTPConnection(*address(small), timeout=20)
    listed = json.loads(ask(connection, "GET", f"{URL}?status=unreadable")[1])["results"]
    connection.close()
    assert len(listed) == statuses.count(201), "what was refused is not kept"


def test_a_store_that_hangs_delays_no_liveness_check(small: Server) -> None:
    database = sqlite3.connect(small.var_dir / "db.sqlite3", isolation_level=None)
    connections = [HTTPConnection(*address(small), timeout=60) for _ in range(4)]
    with closing(database), ExitStack() as stack:
        database.execute("BEGIN IMMEDIATE")
        for connection in connections:
            stack.callback(connection.close)
            connection.request("GET", "/readyz")
        time.sleep(0.5)
        alive = stack.enter_context(closing(HTTPConnection(*address(small), timeout=20)))
        asked = time.monotonic()
        assert ask(alive, "GET", "/healthz")[0] == 200
        assert time.monotonic() - asked < 3, "a locked database is waited for 5 s"
        database.execute("ROLLBACK")
        assert {connection.getresponse().status for connection in connections} <= {200, 503}


def test_too_many_open_files_end_no_worker(small: Server) -> None:
    worker = psutil.Process(small.process.pid).children()[0]
    limits = worker.rlimit(psutil.RLIMIT_NOFILE)
    with ExitStack() as stack:
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 5, limits[1]))
        stack.callback(worker.rlimit, psutil.RLIMIT_NOFILE, limits)
        for _ in range(40):
            client = stack.enter_context(socket.create_connection(address(small), 20))
            client.sendall(b"GET /")
        wait_until(lambda: "cannot be accepted" in small.log.read_text())
        assert worker.is_running()
    connection = HTTPConnection(*address(small), timeout=20)
    assert ask(connection, "GET", "/api/v1/")[0] == 200
    connection.close()
    assert psutil.Process(small.process.pid).children() == [worker]


def test_one_client_s_requests_leave_a_turn_to_others(
    start_server: StartServer, slow_picture: bytes, png: Png, tmp_path: Path
) -> None:
    server = start_server(tmp_path, WEB_CONCURRENCY="1", MAX_IN_FLIGHT="24")
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(send_picture, server, slow_picture, STRANGER) for _ in range(16)]
        time.sleep(0.3)
        asked = time.monotonic()
        assert send_picture(server, png("7"))[0] == 201
        waited = time.monotonic() - asked
        begun = sum(future.done() for future in waiting)
        assert {future.result()[0] for future in waiting} == {201}
    assert begun < 12, f"it was the stranger's turn for {waited:.1f} s"
    assert server.stop() == 0


def test_connections_are_kept_alive(small: Server, png: Png) -> None:
    connection = HTTPConnection(*address(small), timeout=20)
    body, headers = form(png("3"))
    for _ in range(5):
        status, answer, _ = ask(connection, "POST", URL, body, **headers)
        assert (status, json.loads(answer)["text"]) == (201, "3")
    assert ask(connection, "GET", "/healthz")[0] == 200
    connection.close()


def test_pipelined_requests_are_answered_in_order(small: Server) -> None:
    paths = ["/healthz", "/api/v1/", "/nothing", "/readyz"]
    sent = b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
    with socket.create_connection(address(small), 20) as client:
        client.sendall(sent + b"GET /healthz HTTP/1.0\r\n\r\n")
        answer = read_answer(client)
    statuses = re.findall(rb"HTTP/1\.[01] (\d+) ", answer)
    assert statuses == [b"200", b"200", b"404", b"200", b"200"]


def test_expect_100_continue_is_answered(small: Server, png: Png) -> None:
    body, headers = form(png("5"))
    head = HEAD + f"Content-Type: {headers['Content-Type']}\r\nConnection: close\r\n".encode()
    with socket.create_connection(address(small), 20) as client:
        client.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        answer = read_answer(client)
    assert answer.startswith(b"HTTP/1.1 201 ")


def test_stopping_finishes_requests_in_flight(
    start_server: StartServer, slow_picture: bytes, tmp_path: Path
) -> None:
    server = start_server(tmp_path, WEB_CONCURRENCY="1")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(send_picture, server, slow_picture) for _ in range(4)]
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        answers = [future.result() for future in waiting]
    assert [status for status, _, _ in answers] == [201] * 4
    assert server.process.wait(30) == 0
    again = start_server(tmp_path)
    for _, body, _ in answers:
        connection = HTTPConnection(*address(again), timeout=20)
        assert ask(connection, "GET", urlsplit(json.loads(body)["url"]).path)[0] == 200
        connection.close()
    assert again.stop() == 0


def test_stopping_answers_who_waits_and_refuses_who_comes_later(
    start_server: StartServer, png: Png, tmp_path: Path
) -> None:
    """A proxy asks another site where a connection is refused, but not where it is reset."""
    server = start_server(tmp_path, WEB_CONCURRENCY="1")
    idle = HTTPConnection(*address(server), timeout=20)
    assert ask(idle, "GET", "/healthz")[0] == 200  # keeps the worker, for two seconds at most
    (worker,) = psutil.Process(server.process.pid).children()
    worker.suspend()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(send_picture, server, png("8")) for _ in range(4)]
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        worker.resume()
        answers = [future.result() for future in waiting]
    assert [status for status, _, _ in answers] == [201] * 4
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(server), 20)
    idle.close()
    assert server.process.wait(30) == 0


def test_reloading_under_load_loses_no_request(
    start_server: StartServer, png: Png, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    over = threading.Event()

    def send_until_over() -> list[int]:
        statuses = []
        while not over.is_set():
            statuses.append(send_picture(server, png("8"))[0])
        return statuses

    with ThreadPoolExecutor(6) as pool:
        sending: list[Future[list[int]]] = [pool.submit(send_until_over) for _ in range(6)]
        for _ in range(3):
            time.sleep(1.5)
            server.process.send_signal(signal.SIGHUP)
        time.sleep(3)
        over.set()
        statuses = [status for future in sending for status in future.result()]
    assert set(statuses) == {201}
    assert server.stop() == 0
    kept = server.manage("shell", "--no-imports", "-c", COUNT)
    assert int(kept) == len(statuses)


def test_persistent_clients_are_balanced_to_a_new_worker(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path, WEB_CONCURRENCY="2")
    master = psutil.Process(server.process.pid)

    def clients_of_workers() -> list[int]:
        """Count the connections that each worker has."""
        return sorted(
            sum(held.status == psutil.CONN_ESTABLISHED for held in worker.net_connections())
            for worker in master.children()
        )

    wait_until(lambda: len(master.children()) == 2)
    master.children()[0].kill()
    clients = [HTTPConnection(*address(server), timeout=20) for _ in range(8)]
    try:
        for client in clients:
            assert ask(client, "GET", "/api/v1/")[0] == 200
        assert clients_of_workers()[-1] == len(clients), "there was only one that could take them"

        def all_ask_and_are_shared_out() -> bool:
            for client in clients:
                assert ask(client, "GET", "/api/v1/")[0] == 200
            return clients_of_workers() in ([3, 5], [4, 4])

        wait_until(all_ask_and_are_shared_out)
    finally:
        for client in clients:
            client.close()


COUNT = "from predictions.models import Prediction; print(Prediction.objects.count())"


def test_slow_readers_hold_nobody_up(start_server: StartServer, tmp_path: Path, png: Png) -> None:
    small = start_server(tmp_path, WEB_CONCURRENCY="1")
    page = HTTPConnection(*address(small), timeout=20)
    docs = ask(page, "GET", "/api/docs/", Accept="text/html")[1]
    (bundle,) = re.findall(rb'src="(/static/[^"]+bundle[^"]*\.js)"', docs)
    with ExitStack() as stack:
        slow = []
        for n in range(50):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(20)
            client.connect(address(small))
            path = bundle if n % 2 else b"/api/v1/predictions/export?format=csv"
            client.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200"
            slow.append(client)
        asked = time.monotonic()
        assert send_picture(small, png("7"))[0] == 201
        assert ask(page, "GET", "/readyz")[0] == 200
        assert time.monotonic() - asked < QUICK_S
        page.close()
        for client in slow[1:6:2]:
            response = stack.enter_context(HTTPResponse(client))
            response.begin()
            assert response.status == 200
            assert len(response.read()) > 1_000_000, "and in the end they have all of it"
    assert small.stop() == 0


def raw(server: Server, sent: bytes) -> bytes:
    with socket.create_connection(address(server), 20) as client:
        client.sendall(sent)
        return read_answer(client)


@pytest.mark.parametrize("length", [b"0000000000000000%d", b"%d"])
def test_a_body_is_never_taken_for_a_request(small: Server, length: bytes) -> None:
    body = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = raw(
        small,
        b"POST /api/v1/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
        + length % len(body)
        + b"\r\n\r\n"
        + body
        + b"GET /healthz HTTP/1.0\r\n\r\n",
    )
    assert re.findall(rb"HTTP/1\.[01] (\d+) ", answer) == [b"405", b"200"]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400", "bad_request"),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            b"400",
            "bad_request",
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", b"400", "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 70_000, b"431", "headers_too_large"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414", "url_too_long"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: wine\r\n\r\n", b"417", "unknown_expectation"),
    ],
)
def test_what_is_not_http_is_refused_in_words(
    small: Server, head: bytes, status: bytes, code: str
) -> None:
    answer = raw(small, head)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == code


def test_bodies_are_bounded_before_they_are_stored(
    start_server: StartServer, tmp_path: Path, png: Png
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    server = start_server(
        tmp_path, WEB_CONCURRENCY="1", MAX_SPOOLED_BYTES="20000000", TMPDIR=str(spool)
    )
    head = b"POST /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    answer = raw(server, head % (b"nowhere", 50_000_000))
    assert answer.startswith(b"HTTP/1.1 413"), "it is not awaited"
    process = psutil.Process(server.process.pid).children()[0]
    with ExitStack() as stack:
        for _ in range(6):  # each sends 9 of 10 MB, and then nothing
            client = stack.enter_context(socket.create_connection(address(server), 20))
            client.sendall(head % (b"api/v1/predictions", 10_000_000))
            with suppress(OSError):  # those that are refused
                client.sendall(b"a" * 9_000_000)
        files = Path(f"/proc/{process.pid}/fd").iterdir()
        written = sum(file.stat().st_size for file in files if str(spool) in str(file.readlink()))
        assert 9_000_000 < written <= 20_000_000
        assert send_picture(server, png("7"))[0] == 201, "a small one needs no room"
        body, headers = form(bytes(5_000_000))
        connection = HTTPConnection(*address(server), timeout=20, source_address=STRANGER)
        assert ask(connection, "POST", URL, body, **headers)[0] == 415, "others have room, too"
        connection.close()
    assert server.stop() == 0
