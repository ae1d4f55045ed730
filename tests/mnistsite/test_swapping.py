"""Activating model versions under load: no request fails or mixes two versions."""

import itertools
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.request import Request, urlopen

import pytest

from tests.conftest import ROOT, Server, StartServer

SWAP_WITHIN_S = 2.0
ACTIVATIONS = 20
WRITE = """
import sys; from pathlib import Path
import django; django.setup()
from tests.support.networks import constant_network, write_model
for digit in (3, 7):
    write_model(Path(sys.argv[1]) / str(digit), network=constant_network(digit))
"""
# The two differ in every answer, so the gate would let neither pass.
ACTIVATE = """
import time
from predictions.registry.activation import activate
for number in {}:
    activate(number, force=True, reason="a drill")
    print(time.time())
    time.sleep({})
"""
# As if the row had been damaged where it is kept: no gate lets such a version pass.
DAMAGE = """
from django.db import transaction
from predictions.models import ModelVersion
with transaction.atomic():
    ModelVersion.objects.filter(active=True).update(active=False)
    ModelVersion.objects.filter(number=2).update(active=True, network=b"TFL3 no network")
"""


@pytest.fixture(scope="module")
def server(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Two workers, and two versions: 1 reads everything as 3, 2 as 7."""
    directory = tmp_path_factory.mktemp("networks")
    server = start_server(tmp_path_factory.mktemp("swapping"), WEB_CONCURRENCY="2")
    subprocess.run(
        [sys.executable, "-c", WRITE, directory], cwd=ROOT, check=True, capture_output=True
    )
    for digit in (3, 7):
        server.manage("importmodel", str(directory / str(digit)))
    return server


def ask(server: Server, picture: bytes, *, store: bool = False) -> tuple[int, str]:
    """Read a picture; return the version and the text. Anything but 200 raises."""
    boundary = b"----------picture"
    body = (
        b"--"
        + boundary
        + b'\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + picture
        + b"\r\n--"
        + boundary
        + b"--\r\n"
    )
    request = Request(  # noqa: S310
        f"{server.url}/api/v1/predictions?store={str(store).lower()}",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"},
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310
        answer = json.loads(response.read())
    return answer["model_version"], answer["text"]


class Asking:
    """Clients that send requests continuously; each response is kept with its request's time."""

    def __init__(self, server: Server, picture: bytes, clients: int) -> None:
        self.server = server
        self.picture = picture
        self.stop = Event()
        self.pool = ThreadPoolExecutor(clients)
        self.running = [self.pool.submit(self._ask_on) for _ in range(clients)]

    def _ask_on(self) -> list[tuple[float, int, str]]:
        answers = []
        while not self.stop.is_set():
            answers.append((time.time(), *ask(self.server, self.picture)))
        return answers

    def answers(self) -> list[tuple[float, int, str]]:
        self.stop.set()
        self.pool.shutdown()
        return [answer for running in self.running for answer in running.result()]


def activate(server: Server, numbers: list[int], pause_s: float) -> list[float]:
    """Activate one version after another in one process; return when each was activated."""
    return [
        float(line)
        for line in server.manage("shell", "-v0", "-c", ACTIVATE.format(numbers, pause_s)).split()
    ]


@pytest.mark.server
def test_twenty_activations_under_load_mix_nothing_and_fail_nothing(
    server: Server, png: Callable[..., bytes]
) -> None:
    asking = Asking(server, png("8", size=60), clients=6)
    try:
        activate(server, [1 + number % 2 for number in range(ACTIVATIONS)], 1.2)
    finally:
        answers = asking.answers()
    # Version 0 until the first activation: it reads what is in the picture.
    seen = Counter((version, text) for _, version, text in answers)
    assert set(seen) == {(0, "8"), (1, "3"), (2, "7")}
    assert min(seen[1, "3"], seen[2, "7"]) > 50
    answers.sort()
    changes = sum(one[1] != other[1] for one, other in itertools.pairwise(answers))
    assert changes >= ACTIVATIONS


@pytest.mark.server
def test_workers_change_within_two_seconds(server: Server, png: Callable[..., bytes]) -> None:
    asking = Asking(server, png("8", size=60), clients=1)
    try:
        activated = activate(server, [1, 2, 1], SWAP_WITHIN_S + 1)
    finally:
        answers = asking.answers()
    for number, since, until in zip([1, 2, 1], activated, [*activated[1:], math.inf], strict=True):
        settled = {v for asked, v, _ in answers if since + SWAP_WITHIN_S < asked < until - 0.5}
        assert settled == {number}


@pytest.mark.server
def test_a_damaged_version_is_refused_and_the_old_one_keeps_serving(
    server: Server, png: Callable[..., bytes]
) -> None:
    activate(server, [2, 1], SWAP_WITHIN_S)
    asking = Asking(server, png("8", size=60), clients=2)
    try:
        server.manage("shell", "-v0", "-c", DAMAGE)
        time.sleep(2 * SWAP_WITHIN_S)
    finally:
        answers = asking.answers()
    assert {(version, text) for _, version, text in answers} == {(1, "3")}
    assert "The network of model version 2 is damaged" in server.log.read_text()
    activate(server, [0], SWAP_WITHIN_S)  # workers are as ready for the next one as before
    assert ask(server, png("8", size=60)) == (0, "8")


@pytest.mark.server
def test_a_shadow_reads_along_in_the_workers_and_answers_stay_the_same(
    server: Server, png: Callable[..., bytes]
) -> None:
    server.manage("shadowmodel", "1", "--share", "1")  # 2 may be damaged
    time.sleep(SWAP_WITHIN_S + 1)
    answers = {ask(server, png(digit, size=60), store=True) for digit in "83783"}
    assert answers == {(0, "8"), (0, "3"), (0, "7")}

    def compared() -> list[str]:
        with urlopen(f"{server.url}/metrics", timeout=10) as response:  # noqa: S310
            lines: list[str] = response.read().decode().splitlines()
        return sorted(line for line in lines if line.startswith("mnistsite_shadow_pictures_total"))

    labels = [f'{{model_version="1",outcome="{outcome}"}}' for outcome in ("other", "same")]
    expected = [
        f"mnistsite_shadow_pictures_total{labels[0]} 3.0",
        f"mnistsite_shadow_pictures_total{labels[1]} 2.0",  # the 3s
    ]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and compared() != expected:
        time.sleep(0.2)
    assert compared() == expected
    time.sleep(SWAP_WITHIN_S)  # they are written down together
    assert "5 pictures, 2 alike" in server.manage("shadowmodel")
    server.manage("shadowmodel", "--stop")
