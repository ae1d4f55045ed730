"""A real Redis."""

import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from tests.conftest import free_port
from tests.support.programs import require


class Cache:
    """A Redis without persistence; `start` brings it back after `end`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.client = Redis(port=self.port)
        self.command = [require("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"]
        self.command += ["--save", "", "--dir", str(folder)]
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NotThere:
            return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait(30)
