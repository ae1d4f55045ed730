"""A real nginx with a configuration of docs/run/."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.programs import require

# A whole nginx around the server blocks, with all its files in one folder.
AROUND = """
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; {user}
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/digits.conf;
}}
"""


@contextmanager
def running_nginx(
    folder: Path, configuration: Path, port: int, changes: Mapping[str, str]
) -> Iterator[None]:
    """Run nginx until the end of the block, after changes of what stands once in its file."""
    program = require("nginx")
    text = configuration.read_text()
    for shown, used in changes.items():
        assert text.count(shown) == 1, shown
        text = text.replace(shown, used)
    (folder / "digits.conf").write_text(text)
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
    process = subprocess.Popen([program, "-c", f"{folder}/nginx.conf", "-p", str(folder)])
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("nginx did not start")
