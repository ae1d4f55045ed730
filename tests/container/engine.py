"""A container engine: docker or podman."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

# Without them an engine inside a container would try to raise these limits, which it may not.
LIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30


@dataclass(frozen=True)
class Engine:
    """The command line that docker and podman share."""

    name: str

    def __call__(self, *arguments: str, timeout: int = 120) -> str:
        """Run a command of the engine and return its output; a failure shows its error output."""
        finished = self.try_to(*arguments, timeout=timeout)
        assert finished.returncode == 0, f"{self.name} {' '.join(arguments)}:\n{finished.stderr}"
        return finished.stdout.strip()

    def try_to(self, *arguments: str, timeout: int = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.name, *arguments],
            env={**os.environ, "BUILDAH_FORMAT": "docker"},  # podman's own would lose HEALTHCHECK
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def has_image(self, image: str) -> bool:
        return self.try_to("image", "inspect", image).returncode == 0

    def build(self, folder: Path, *, base: str, tag: str) -> str:
        """Build the default target of the folder's Dockerfile and return the image's id."""
        # podman's builds see the certificates of this machine; docker's cannot be shown them.
        certificates = "/etc/ssl/certs"
        mounts = [f"--volume={certificates}:{certificates}:ro"] if self.name == "podman" else []
        arguments = [f"--build-arg=PYTHON_IMAGE={base}", f"--tag={tag}", "--network=host"]
        self("build", *arguments, *LIMITS, *mounts, str(folder), timeout=900)
        return self("image", "inspect", "--format={{.Id}}", tag)

    def start(self, image: str, *options: str, command: tuple[str, ...] = ()) -> "Container":
        return Container(self, self("run", "--detach", *LIMITS, *options, image, *command))


@dataclass(frozen=True)
class Container:
    """A started container; the caller removes it."""

    engine: Engine
    id: str

    def inspect(self) -> dict[str, Any]:
        (description,) = json.loads(self.engine("container", "inspect", self.id))
        assert isinstance(description, dict)
        return description

    def execute(
        self, *command: str, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as its user unless the options name another."""
        return self.engine.try_to("exec", *options, self.id, *command)

    def log(self) -> str:
        finished = self.engine.try_to("logs", self.id)
        return finished.stdout + finished.stderr

    def url(self, port: int) -> str:
        """Where the container's port is published on this machine."""
        return f"http://{self.engine('port', self.id, str(port)).splitlines()[0]}"

    def wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline and self.inspect()["State"]["Running"]:
            try:
                with urlopen(f"{url}/readyz", timeout=5) as response:  # noqa: S310
                    assert response.status == 200
                return
            except (URLError, ConnectionError, TimeoutError):  # not yet; 503 is a URLError too
                time.sleep(0.2)
        raise AssertionError(f"The container did not get ready:\n{self.log()}")

    def wait(self) -> int:
        """Wait until it ends by itself and return its exit code."""
        return int(self.engine("wait", self.id, timeout=300))

    def stop(self) -> int:
        """Stop it like `docker stop`, first with SIGTERM, and return its exit code."""
        self.engine("stop", f"--time={STOP_TIMEOUT_S}", self.id)
        return int(self.inspect()["State"]["ExitCode"])

    def remove(self) -> None:
        self.engine("rm", "--force", "--volumes", self.id)


def find_engine() -> Engine | None:
    """Return an engine that works here; docker without its daemon does not."""
    for name in ("docker", "podman"):
        engine = Engine(name)
        if shutil.which(name) and engine.try_to("info").returncode == 0:
            return engine
    return None
