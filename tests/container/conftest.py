"""The built image and containers of it."""

import os
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from tests.conftest import ROOT
from tests.container.base_image import BaseImageError, base_image
from tests.container.engine import Container, Engine, find_engine

TAG = "localhost/mnistsite-test"
StartContainer = Callable[..., Container]


def give_up(reason: str) -> NoReturn:
    """Skip a test that cannot run here; fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Engine:
    if os.geteuid() != 0:
        give_up("needs root, to look into the container's processes")
    found = find_engine()
    if found is None:
        give_up("needs a docker or podman that runs")
    return found


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The id of the image that `docker build .` builds."""
    try:
        base = base_image(engine, ROOT / "Dockerfile")
    except BaseImageError as error:
        give_up(str(error))
    return engine.build(ROOT, base=base, tag=TAG)


@pytest.fixture(scope="session")
def start_container(engine: Engine, image: str) -> Iterator[StartContainer]:
    """Start containers: `start_container("--env=A=1", command=("ls",))`; all are removed."""
    containers: list[Container] = []

    def start(*options: str, command: tuple[str, ...] = ()) -> Container:
        containers.append(engine.start(image, *options, command=command))
        return containers[-1]

    yield start
    for container in containers:
        container.remove()
