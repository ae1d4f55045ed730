"""Finding the end of a request, however its bytes are received, as gunicorn's parser finds it."""

import errno
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event, get_ident
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from mnistsite.incoming import MAX_HEADERS_BYTES, IncomingRequest
from mnistsite.outgoing import Outgoing
from mnistsite.paths import site_path
from mnistsite.shares import Shares
from mnistsite.spool import IN_MEMORY_BYTES, Spool
from mnistsite.turns import Threads, Turns
from predictions.access.client_address import UNKNOWN
from predictions.core.body_limits import MAX_OTHER_BODY_BYTES, max_body_bytes
from tests.support.waiting import wait_until

HEAD = b"POST /upload HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\n"
WHOLE = HEAD + b"abcde"
NEXT = b"GET / HTTP/1.1\r\n"
CLIENT = ("127.0.0.1", 1)


@pytest.fixture
def room() -> Shares:
    return Shares(10_000_000)


@pytest.fixture
def incoming(room: Shares) -> Iterator[IncomingRequest]:
    made = IncomingRequest(Config(), CLIENT, room)
    yield made
    made.close()


def body_of(incoming: IncomingRequest) -> bytes:
    return bytes(incoming.request.body.read())


@given(st.lists(st.integers(0, len(WHOLE + NEXT)), max_size=8))
def test_finds_the_end_in_any_chunks(cuts: list[int]) -> None:
    incoming = IncomingRequest(Config(), CLIENT, Shares(0))
    sent = WHOLE + NEXT
    edges = sorted({0, *cuts, len(WHOLE), len(sent)})
    over = None
    for start, end in pairwise(edges):
        assert over is None or start >= len(WHOLE)
        if over is None:
            over = incoming.feed(sent[start:end])
    assert over in (b"", NEXT[: len(over or b"")])
    assert (incoming.request.method, incoming.request.uri) == ("POST", "/upload")
    assert body_of(incoming) == b"abcde"
    assert incoming.accepts_body
    incoming.close()


def test_returns_the_bytes_of_the_next_request(incoming: IncomingRequest) -> None:
    assert incoming.feed(WHOLE + NEXT) == NEXT
    assert body_of(incoming) == b"abcde"


def test_a_request_without_a_body_ends_with_its_headers(incoming: IncomingRequest) -> None:
    assert incoming.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
    assert incoming.accepts_body
    assert body_of(incoming) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: gzip, chunked",
        b"Content-Length: 1000001",
        b"Content-Length: 99999999999999999999999999",
    ],
)
def test_a_body_that_will_be_refused_is_not_awaited(incoming: IncomingRequest, line: bytes) -> None:
    assert incoming.feed(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n") == b""
    assert not incoming.accepts_body
    assert not incoming.expects_continue


def test_headers_without_end_are_limited(incoming: IncomingRequest) -> None:
    with pytest.raises(LimitRequestHeaders):
        incoming.feed(b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEADERS_BYTES)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_http_1_1_needs_a_host(incoming: IncomingRequest, version: bytes) -> None:
    head = b"GET / HTTP/" + version + b"\r\n\r\n"
    if version == b"1.0":
        assert incoming.feed(head) == b""
    else:
        with pytest.raises(ParseException):
            incoming.feed(head)


def test_expect_100_continue_is_left_to_the_event_loop(incoming: IncomingRequest) -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nHost: a\r\n\r\n"
    assert incoming.feed(head) is None
    assert incoming.expects_continue
    assert not incoming.request._expected_100_continue, "gunicorn would answer it once more"
    assert incoming.feed(b"ab") == b""
    assert body_of(incoming) == b"ab"


def test_a_large_request_goes_to_a_file_within_its_room(
    incoming: IncomingRequest, room: Shares
) -> None:
    size = IN_MEMORY_BYTES * 2
    incoming.feed(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    assert incoming.feed(b"a" * size) == b""
    assert room.free == 10_000_000 - size
    assert body_of(incoming) == b"a" * size
    incoming.close()
    assert room.free == 10_000_000


def test_a_body_is_read_in_pieces_without_copying_the_rest_each_time(
    incoming: IncomingRequest,
) -> None:
    head = b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 6000000\r\n\r\n"
    body = bytes(range(250)) * 24_000
    assert incoming.feed(head + body) == b""
    read = b""
    while piece := incoming.request.body.read(65_536):
        read += piece
        assert incoming.buf.getbuffer().nbytes <= 65_536
    assert read == body


def test_a_request_beyond_its_share_has_no_room() -> None:
    small = Shares(IN_MEMORY_BYTES)
    incoming = IncomingRequest(Config(), CLIENT, small)
    incoming.feed(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
    with pytest.raises(OSError, match="limit") as caught:
        incoming.feed(b"a" * (IN_MEMORY_BYTES + 1))
    assert caught.value.errno == errno.ENOSPC
    incoming.close()
    assert small.free == IN_MEMORY_BYTES


def test_a_spool_returns_what_was_written_and_takes_no_room_when_empty() -> None:
    room = Shares(10_000_000)
    spool = Spool(room, "192.0.2.1")
    data = bytes(range(256)) * 4000
    for at in range(0, len(data), 100_000):
        spool.write(data[at : at + 100_000])
    read = b""
    while spool.waiting_bytes:
        part = spool.peek(70_001)
        spool.skip(len(part))
        read += part
    assert read == data
    assert room.free == 10_000_000
    spool.close()


def test_no_client_takes_all_and_the_next_one_finds_something() -> None:
    room = Shares(900)
    assert room.take("a", 600)
    assert not room.take("a", 1)
    assert room.take("b", 200)
    assert not room.take("b", 1)
    assert room.take("c", 66)
    room.give_back("a", 600)
    assert room.take("b", 100)
    for client, count in (("b", 300), ("c", 66)):
        room.give_back(client, count)
    assert room.free == 900
    assert room.take("c", 600), "what was given back is free for all"


def test_clients_take_turns() -> None:
    turns: Turns[int] = Turns()
    for number, client in enumerate("aaabbc"):
        turns.add(client, number, is_small=True)
    assert [turns.take() for _ in range(4)] == [0, 3, 5, 1]
    turns.add("c", 6, is_small=True)
    assert [turns.take() for _ in range(3)] == [4, 2, 6]
    assert turns.take() is None


def test_small_requests_and_large_ones_take_turns() -> None:
    turns: Turns[str] = Turns()
    for number in range(4):
        turns.add("a", f"large {number}", is_small=False)
    assert turns.take() == "large 0"
    for client in "ab":
        turns.add(client, f"small of {client}", is_small=True)
    assert [turns.take() for _ in range(4)] == ["small of a", "large 1", "small of b", "large 2"]
    assert turns.take() == "large 3"
    assert turns.take() is None


class Answering:
    """One thread that may be busy, and what it answered."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.threads: Threads[str] = Threads(pool, 1, self.answer)
        self.answered: list[str] = []
        self.is_idle, self.go_on, self.is_busy, self.finish = (Event() for _ in range(4))
        self.by: set[int] = set()

    def add(self, *requests: str) -> None:
        for request in requests:
            self.threads.add("a client", request)

    def answer(self, request: str) -> None:
        if request == "busy":
            self.is_busy.set()
            self.finish.wait(20)
        elif request == "idle":
            with self.threads.idle(), self.threads.idle():
                self.is_idle.set()
                self.go_on.wait(20)
        self.by.add(get_ident())
        self.answered.append(request)

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.answered) >= count and not self.threads.are_any_busy, 20)


def test_small_requests_wait_for_the_event_loop_s_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        answering = Answering(pool)
        for request in ("one", "two"):
            answering.threads.add("a client", request, is_small=True)
        assert answering.threads.has_small
        assert answering.threads.take_small() == "one"
        assert not answering.answered, "it has not asked for a thread"
        answering.threads.begin()
        answering.wait_for(1)
        assert answering.answered == ["two"]
        assert answering.threads.take_small() is None
        with answering.threads.idle():  # no thread of these
            assert answering.threads._free == 1


def test_who_was_idle_comes_before_who_has_not_begun() -> None:
    with ThreadPoolExecutor(4) as pool:
        answering = Answering(pool)
        answering.add("idle")
        assert answering.is_idle.wait(20)
        assert not answering.threads.are_any_busy, "who is idle, even twice over, is not busy"
        answering.add("busy", "new")
        assert answering.is_busy.wait(20)
        answering.go_on.set()
        wait_until(lambda: answering.threads._returning, 20)
        answering.finish.set()
        answering.wait_for(3)
    assert answering.answered == ["busy", "idle", "new"]


def test_threads_begin_only_as_busy_ones_are_needed() -> None:
    with ThreadPoolExecutor(8) as pool:
        answering = Answering(pool)
        for request in map(str, range(100)):
            answering.add(request)
        answering.wait_for(100)
        assert len(answering.by) <= 2, "a pool starts another while one is just getting free"
        answering.add("idle")
        assert answering.is_idle.wait(20)
        answering.add(*map(str, range(100)))
        answering.wait_for(200)
        assert answering.answered[100:] == [*map(str, range(100))]
        answering.go_on.set()
        answering.wait_for(201)
        assert len(answering.by) <= 3


def test_a_thread_whose_request_failed_leaves_its_place_to_the_next() -> None:
    answered: list[str] = []

    def answer(request: str) -> None:
        if request == "bad":
            raise SystemExit
        answered.append(request)

    with ThreadPoolExecutor(2) as pool:
        threads: Threads[str] = Threads(pool, 1, answer)
        for request in ("bad", "good"):
            threads.add("a client", request)
        wait_until(lambda: answered, 20)


def test_a_response_without_room_ends_like_one_whose_client_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        outgoing = Outgoing(ours, Spool(Shares(500_000), "192.0.2.1"))
        with pytest.raises(BrokenPipeError):
            outgoing.sendall(bytes(5_000_000))
        assert outgoing.error is not None
        assert outgoing.error.errno == errno.ENOSPC
        outgoing.discard()


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (("192.0.2.1", 5), "", "192.0.2.1"),
        (("2001:db8:1:2:3::4", 5, 0, 0), "", "2001:db8:1:2::"),
        ("", "", UNKNOWN),
        ("", "203.0.113.9\r\nX-Forwarded-For: [2001:db8::7]:80", "2001:db8::"),
    ],
)
def test_knows_the_client_as_limits_count_it(
    room: Shares, settings: Any, peer: Any, forwarded: str, client: str
) -> None:
    settings.PROXY_COUNT = 1
    incoming = IncomingRequest(Config(), peer, room)
    line = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
    incoming.feed(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n".encode())
    assert incoming.client == client
    incoming.close()


@pytest.mark.parametrize("path", ["/batc%68", "/batch?a=/b", "/%62%61tch", "/batch#x"])
def test_the_limit_of_a_body_depends_on_the_decoded_path(room: Shares, path: str) -> None:
    incoming = IncomingRequest(Config(), CLIENT, room)
    head = f"POST /api/v1/predictions{path} HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000"
    assert incoming.feed(f"{head}\r\n\r\n".encode()) is None, "its body is awaited"
    assert incoming.path == "/api/v1/predictions/batch"
    incoming.close()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/digits/healthz", "/healthz"),
        ("/digits%2Fhealthz", "/healthz"),
        ("/%64igits", "/"),
        ("/digitsy", "/digitsy"),
        ("/%2564igits/", "/%64igits/"),
    ],
)
def test_a_path_is_decoded_once_and_loses_its_prefix(settings: Any, path: str, seen: str) -> None:
    settings.SCRIPT_NAME = "/digits"
    assert site_path(path) == seen


def test_the_limit_of_a_body_depends_on_the_url(settings: Any) -> None:
    assert max_body_bytes("/api/v1/predictions/batch", "") == settings.MAX_BATCH_BYTES
    for path in ("/api/v1/predictions", "/upload", "/predict"):
        assert max_body_bytes(path, "application/json") == settings.MAX_BODY_BYTES
    assert max_body_bytes("/", "Multipart/form-data; boundary=x") == settings.MAX_BODY_BYTES
    for path in ("/", "/healthz", "/api/v1/predictions/1/corrections"):
        assert max_body_bytes(path, "application/json") == MAX_OTHER_BODY_BYTES


def verdict_of_gunicorn(sent: bytes) -> bytes | None:
    """Return the bytes after the first request as gunicorn reads them; None if it refuses."""
    parser: Any = RequestParser(Config(), iter([sent]), CLIENT)
    try:
        request = next(parser)
        request.body.read()
    except (ParseException, NoMoreData, StopIteration):
        return None
    return bytes(parser.unreader.take_buffered())


def verdict_of_ours(sent: bytes) -> bytes | None:
    incoming = IncomingRequest(Config(), CLIENT, Shares(0))
    try:
        rest = incoming.feed(sent)
    except ParseException:
        return None
    finally:
        incoming.close()
    return rest


LENGTHS = [
    b"5",
    b"0000000000000005",  # 16 digits counted as no body once
    b"00000000000000000000000000000000005",
    b"+5",
    b"-5",
    b"5 ",
    b"5, 5",
    b"0x5",
    b"5_0",
    b"",
    b"\xb2",
]
headers = st.lists(
    st.one_of(
        st.builds(
            lambda name, blank, value: name + b":" + blank + value,
            st.sampled_from([b"Content-Length", b"content-length", b"Content-Length ", b"X"]),
            st.sampled_from([b"", b" ", b"\t"]),
            st.one_of(st.sampled_from(LENGTHS), st.integers(0, 20).map(lambda n: b"%d" % n)),
        ),
        st.sampled_from([b"Connection: close", b"Expect: 100-continue", b" folded", b"A: \nb"]),
    ),
    max_size=3,
)


@given(headers, st.binary(max_size=30))
@example([b"Content-Length: 0000000000000005"], b"abcdeGET / HTTP/1.1\r\n")
@example([b"Content-Length: 5", b"Content-Length: 5"], b"abcde")
@example([b"Content-Length: 5", b"Content-Length: 6"], b"abcdef")
def test_a_request_ends_where_gunicorn_says(lines: list[bytes], body: bytes) -> None:
    head = b"\r\n".join([b"POST /upload HTTP/1.1", b"Host: a", *lines]) + b"\r\n\r\n"
    expected = verdict_of_gunicorn(head + body)
    found = verdict_of_ours(head + body)
    if expected is None:
        assert found is None
    else:
        assert found in (expected, None), "None: more of the body is awaited"
        if len(body) >= 20 or expected:
            assert found == expected
