"""Finding the end of a request, however its bytes are received."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistsite.incoming import IN_MEMORY_BYTES, MAX_HEADERS_BYTES, IncomingRequest

HEAD = b"POST /upload HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\n"
WHOLE = HEAD + b"abcde"
NEXT = b"GET / HTTP/1.1\r\n"


@pytest.fixture
def incoming() -> Iterator[IncomingRequest]:
    made = IncomingRequest(max_body_bytes=1_000_000)
    yield made
    made.close()


@given(st.lists(st.integers(0, len(WHOLE + NEXT)), max_size=8))
def test_finds_the_end_in_any_chunks(cuts: list[int]) -> None:
    incoming = IncomingRequest(max_body_bytes=1_000_000)
    sent = WHOLE + NEXT
    edges = sorted({0, *cuts, len(WHOLE), len(sent)})
    over = None
    for start, end in pairwise(edges):
        assert over is None or start >= len(WHOLE)
        if over is None:
            over = incoming.feed(sent[start:end])
    assert over in (b"", NEXT[: len(over or b"")])
    assert incoming.content.read() == WHOLE
    assert incoming.accepts_body
    incoming.close()


def test_returns_the_bytes_of_the_next_request(incoming: IncomingRequest) -> None:
    assert incoming.feed(WHOLE + NEXT) == NEXT
    assert incoming.content.read() == WHOLE


def test_a_request_without_a_body_ends_with_its_headers(incoming: IncomingRequest) -> None:
    assert incoming.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
    assert incoming.accepts_body


@pytest.mark.parametrize(
    "line",
    [
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: gzip, chunked",
        b"Content-Length: 1000001",
    ],
)
def test_a_body_that_will_be_refused_is_not_awaited(incoming: IncomingRequest, line: bytes) -> None:
    assert incoming.feed(b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n") == b""
    assert not incoming.accepts_body
    assert not incoming.expects_continue


def test_headers_without_end_are_limited(incoming: IncomingRequest) -> None:
    assert incoming.feed(b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEADERS_BYTES) == b""
    assert incoming.content.tell() == 0


def test_expect_100_continue_is_removed_from_the_headers(incoming: IncomingRequest) -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nHost: a\r\n\r\n"
    assert incoming.feed(head) is None
    assert incoming.expects_continue
    assert incoming.feed(b"ab") == b""
    assert incoming.content.read() == head.replace(b"Expect: 100-continue\r\n", b"") + b"ab"


def test_a_large_request_goes_to_a_file(incoming: IncomingRequest) -> None:
    size = IN_MEMORY_BYTES * 2
    incoming.feed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    assert incoming.feed(b"a" * size) == b""
    assert incoming.content._rolled  # type: ignore[attr-defined]
    assert incoming.content.read().endswith(b"\r\n\r\n" + b"a" * size)
