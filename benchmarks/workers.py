"""Our worker, gunicorn's own gthread, and its ASGI worker, the latter two behind nginx as well.

    .venv/bin/python benchmarks/workers.py [--rounds 3] [--seconds 5]

Needs `wrk` and `nginx` (packaged in Debian), and five minutes. For each way to serve: throughput
and latency of plain uploads, and then the median and the longest time of plain uploads and health
checks while 50 clients read a large file slowly and 50 send an upload slowly.
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.pictures import draw_text
from benchmarks.servers import Running, Server, manage, ours, running
from benchmarks.serving import API, send

PORT, NGINX_PORT = 8992, 8993
SLOW_CLIENTS = 50
TIMEOUT_S = 30
MAX_ANSWER_S = 10  # what takes longer counts as so long
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 100m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream site {{ server 127.0.0.1:{port}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{nginx_port};
    location / {{
      proxy_pass http://site; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }}
  }}
}}
"""


def with_worker(name: str, *arguments: str) -> Server:
    server = ours(name, API, ALLOWED_HOSTS="127.0.0.1,localhost")
    return replace(server, command=(*server.command, *arguments))


WAYS = [
    (with_worker("our worker"), False),
    (with_worker("gthread", "-k", "gthread"), False),
    (with_worker("gthread, 8 threads, behind nginx", "-k", "gthread", "--threads", "8"), True),
    (with_worker("ASGI, behind nginx", "-k", "asgi", "benchmarks.asgi:application"), True),
]


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Run nginx in front of the site; yield its URL."""
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=PORT, nginx_port=NGINX_PORT))
    process = subprocess.Popen(["nginx", "-c", str(config), "-e", str(folder / "nginx.log")])
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", NGINX_PORT), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield f"http://127.0.0.1:{NGINX_PORT}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def ask(request: str | Request) -> float:
    """Return the seconds to a response; `MAX_ANSWER_S` without one."""
    started = time.perf_counter()
    try:
        with urlopen(request, timeout=MAX_ANSWER_S) as response:
            response.read()
    except (URLError, OSError):
        return float(MAX_ANSWER_S)
    return time.perf_counter() - started


@contextmanager
def slow_clients(url: str) -> Iterator[None]:
    """Connect clients that read nothing, and clients that send nothing more."""
    address = ("127.0.0.1", urlsplit(url).port or 0)
    with urlopen(f"{url}/api/docs/", timeout=TIMEOUT_S) as page:
        largest = re.findall(rb'"([^"]*swagger-ui-bundle[^"]*)"', page.read())[0]  # 1.5 MB
    head = b"Host: 127.0.0.1\r\n"
    read = b"GET " + largest + b" HTTP/1.1\r\n" + head + b"\r\n"
    upload = b"POST /api/v1/predictions HTTP/1.1\r\n" + head + b"Content-Length: 100000\r\n\r\naaa"
    with ExitStack() as stack:
        for n in range(2 * SLOW_CLIENTS):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address)
            client.sendall(read * 4 if n % 2 else upload)  # more than the kernel keeps
        yield


def times_of(url: str, picture: Path, seconds: int) -> list[float]:
    """Return the seconds of plain uploads and of health checks: median and longest of each."""
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = part + picture.read_bytes() + b"\r\n--x--\r\n"
    upload = Request(
        f"{url}{API}", body, {"Content-Type": "multipart/form-data; boundary=x"}, method="POST"
    )
    uploads, checks = [], []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        uploads.append(ask(upload))
        checks.append(ask(f"{url}/healthz"))
    return [f(times) for times in (uploads, checks) for f in (statistics.median, max)]


def measure(server: Server, behind_nginx: bool, picture: Path, seconds: int) -> list[float]:
    with tempfile.TemporaryDirectory() as name, running(server, Path(name), PORT) as run:
        front = nginx(Path(name)) if behind_nginx else nullcontext(run.url)
        with front as url:
            seen = Running(url, run.process, run.ready_s, run.environment)
            send(seen, server, picture, seconds=2, connections=8)
            sent = send(seen, server, picture, seconds=seconds, connections=8)
            with slow_clients(url):
                time.sleep(1)
                slow = times_of(url, picture, seconds)
            return [
                sent["requests"] / sent["duration_us"] * 1e6,
                sent["p50_us"] / 1e3,
                sent["p99_us"] / 1e3,
                run.megabytes,
                *slow,
            ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STATIC_ROOT"] = f"{folder}/static"
        manage(dict(os.environ), "collectstatic", "--no-input", "-v0")
        picture = Path(folder) / "seven.png"
        picture.write_bytes(draw_text("7", 28))
        rounds: dict[str, list[list[float]]] = {server.name: [] for server, _ in WAYS}
        for _ in range(arguments.rounds):
            for server, behind_nginx in WAYS:
                rounds[server.name].append(
                    measure(server, behind_nginx, picture, arguments.seconds)
                )
    print("| | requests/s | p50 ms | p99 ms | MB | upload s | longest | health s | longest |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, measured in rounds.items():
        cells = [statistics.median(column) for column in zip(*measured, strict=True)]
        print(f"| {name} | " + " | ".join(f"{cell:,.2f}" for cell in cells) + " |")


if __name__ == "__main__":
    main()
