"""A real gunicorn: serving, restarting, stopping, memory."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psutil
import pytest

from tests.conftest import Server, StartServer

pytestmark = pytest.mark.server
Png = Callable[..., bytes]
MAX_WORKER_BYTES = 160_000_000


def get(url: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
    try:
        with urlopen(Request(url, headers=headers), timeout=20) as response:  # noqa: S310
            return response.status, response.read(), dict(response.headers)
    except HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def curl(server: Server, path: str, picture: Path, field: str) -> dict[str, Any]:
    finished = subprocess.run(
        ["curl", "-sS", "-F", f"{field}=@{picture}", f"{server.url}{path}"],
        capture_output=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


@pytest.mark.parametrize(
    ("path", "field"), [("/predict", "photo"), ("/upload", "file"), ("/api/v1/predictions", "file")]
)
def test_a_plain_curl_reads_a_digit(
    server: Server, png: Png, tmp_path: Path, path: str, field: str
) -> None:
    picture = tmp_path / "seven.png"
    picture.write_bytes(png("7"))
    answer = curl(server, path, picture, field)
    assert answer["text"] == "7"
    status, body, _ = get(answer["url"])
    assert (status, json.loads(body)["id"]) == (200, answer["id"])


@pytest.mark.shared
def test_legacy_route_reads_the_original_pictures(server: Server, shared: Path) -> None:
    pictures = sorted((shared / "data" / "seed").glob("test*.*"))
    assert len(pictures) == 6
    for picture in pictures:
        answer = curl(server, "/predict", picture, "photo")
        assert answer["text"] == picture.stem.removeprefix("test")
        assert answer["source"] == "legacy"


def test_predictions_survive_a_restart(start_server: StartServer, png: Png, tmp_path: Path) -> None:
    picture = tmp_path / "seven.png"
    picture.write_bytes(png("7"))
    first = start_server(tmp_path)
    kept = curl(first, "/predict", picture, "photo")
    assert first.stop() == 0
    assert "Stopped." in first.log.read_text()
    second = start_server(tmp_path)
    path = urlsplit(kept["url"]).path
    status, body, _ = get(second.url + path)
    assert status == 200
    assert json.loads(body)["digits"] == kept["digits"]
    _, listed, _ = get(f"{second.url}/api/v1/predictions")
    assert [result["id"] for result in json.loads(listed)["results"]] == [kept["id"]]
    assert second.stop() == 0


def test_health_and_readiness(server: Server) -> None:
    for path in ("/healthz", "/readyz"):
        status, body, headers = get(server.url + path)
        assert (status, json.loads(body)) == (200, {"status": "ok"})
        assert "no-store" in headers["Cache-Control"]


def test_workers_stay_small_and_never_import_tensorflow(
    start_server: StartServer, png: Png, tmp_path: Path
) -> None:
    server = start_server(tmp_path)  # its own: what others sent before is not measured here
    picture = tmp_path / "seven.jpg"
    picture.write_bytes(png("7", ".jpg", size=1500))
    for _ in range(4):
        curl(server, "/predict", picture, "photo")
    processes = [psutil.Process(server.process.pid)]
    workers = processes[0].children(recursive=True)
    assert len(workers) == 2
    for process in [*processes, *workers]:
        assert process.memory_info().rss < MAX_WORKER_BYTES
        libraries = {mapped.path for mapped in process.memory_maps()}
        assert not [path for path in libraries if "/tensorflow/" in path]
    assert [path for path in libraries if "ai_edge_litert" in path]


def test_answers_and_log_lines_carry_the_requests_id(server: Server) -> None:
    _, _, headers = get(f"{server.url}/api/v1/predictions", **{"X-Request-ID": "trace-me.42"})
    assert headers["X-Request-ID"] == "trace-me.42"
    (line,) = [line for line in server.log.read_text().splitlines() if "trace-me.42" in line]
    event = json.loads(line)
    assert (event["method"], event["path"], event["status"]) == ("GET", "/api/v1/predictions", 200)
    assert event["duration_ms"] > 0
    _, _, headers = get(f"{server.url}/healthz", **{"X-Request-ID": "no spaces, please"})
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])


def test_a_huge_body_is_refused_before_it_is_complete(server: Server) -> None:
    head = (
        "POST /api/v1/predictions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), 10) as client:
        client.sendall(head.encode() + b"x" * 1000)
        answer = b""
        while b"too_large" not in answer and (part := client.recv(65536)):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"too_large" in answer


def test_a_chunked_body_is_refused_with_a_message(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", urlsplit(server.url).port or 0, timeout=10)
    connection.request(
        "POST", "/api/v1/predictions", iter([b"abc"]), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    assert response.status == 411
    assert json.loads(response.read())["error"]["code"] == "length_required"
    connection.close()


def test_concurrent_uploads_are_all_answered_and_kept(
    server: Server, png: Png, tmp_path: Path
) -> None:
    pictures = []
    for digit in "0123456789":
        pictures.append(tmp_path / f"{digit}.png")
        pictures[-1].write_bytes(png(digit, size=100))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda p: curl(server, "/predict", p, "photo"), pictures * 10))
    assert len({answer["id"] for answer in answers}) == 100
    for answer in answers:
        status, body, _ = get(answer["url"])
        assert (status, json.loads(body)["file_name"]) == (200, answer["file_name"])


def test_static_files_are_compressed_and_cached_forever(server: Server) -> None:
    _, page, _ = get(f"{server.url}/", Accept="text/html")
    sheet, *_ = re.findall(rb'href="(/static/[^"]+\.css)"', page)
    status, _, headers = get(server.url + sheet.decode(), **{"Accept-Encoding": "gzip"})
    assert status == 200
    assert headers["Content-Encoding"] == "gzip"
    assert "immutable" in headers["Cache-Control"]


def test_a_burst_of_persistent_clients_is_balanced(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path, WEB_CONCURRENCY="2")
    address = ("127.0.0.1", urlsplit(server.url).port or 0)
    while server.log.read_text().count("model version in use") < 2:
        time.sleep(0.1)
    time.sleep(1)  # one of them was ready before the other
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address, 20)) for _ in range(12)]
        for client in clients:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
        held = [
            sum(held.status == psutil.CONN_ESTABLISHED for held in worker.net_connections("tcp"))
            for worker in psutil.Process(server.process.pid).children()
        ]
    assert sum(held) == 12
    assert min(held) >= 4  # one of them would often take all
