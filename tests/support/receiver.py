"""A real receiver of webhooks on this machine."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with the `statuses` one after another, then with 200, once it is `answering`.

    With `drip_s` it sends a header that does not end, one byte in so many seconds.
    """

    url: str
    statuses: list[int] = field(default_factory=list)
    location: str = ""
    drip_s: float = 0
    requests: list[Received] = field(default_factory=list)
    answering: Event = field(default_factory=Event)

    @property
    def ids(self) -> list[str]:
        return [received.id for received in self.requests]


@contextmanager
def receiver(port: int = 0, *, certificate: Path | None = None) -> Iterator[Receiver]:
    """Listen at a port, by default a free one; with TLS if there is a certificate with its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            here.requests.append(Received(self.path, headers, body))
            here.answering.wait(60)
            status = here.statuses.pop(0) if here.statuses else 200
            try:
                while here.drip_s:
                    self.wfile.write(b"H")
                    time.sleep(here.drip_s)
                self.send_response(status)
                if here.location:
                    self.send_header("Location", here.location)
                self.end_headers()
                self.wfile.write(f"answer {status}\0\n".encode() + b"x" * 1000)
            except OSError:  # the sender is gone
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        if certificate is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        here = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hooks")
        here.answering.set()
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield here
        finally:
            here.answering.set()
            server.shutdown()
            thread.join()
