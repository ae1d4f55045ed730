"""Interpreters are shared by threads, and there are as many as have run at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest

import ml
from ml.reading.finder import TILE
from ml.reading.networks import Network
from ml.reading.page_reader import FINDER_FILE, load_page_reader

MODELS = Path(ml.__file__).parent / "models"
SHAPE = (TILE, TILE)


@pytest.fixture
def network() -> Network:
    return Network((MODELS / FINDER_FILE).read_bytes(), "finder")


def count(network: Network) -> dict[tuple[int, ...], int]:
    return {shape: len(free) for shape, free in network._free.items()}


def test_threads_one_after_the_other_share_one(network: Network) -> None:
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    answers: list[np.ndarray] = []
    for _ in range(4):
        thread = Thread(target=lambda: answers.append(network(x)))
        thread.start()
        thread.join()
    assert count(network) == {SHAPE: 1}
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_threads_at_once_do_not_disturb_each_other(network: Network) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.normal(size=SHAPE).astype(np.float32) for _ in range(4)]
    wanted = [network(x) for x in pictures]
    together = Barrier(4)

    def ask(n: int) -> bool:
        together.wait()
        return all(np.array_equal(network(pictures[n]), wanted[n]) for _ in range(10))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(4)))
    assert 1 <= count(network)[SHAPE] <= 4


def test_warming_up_makes_all_that_is_needed() -> None:
    reader = load_page_reader(MODELS)
    reader.warm_up(2)
    networks = (reader.finder._network, reader.line_reader._network)
    before = [count(network) for network in networks]
    assert set().union(*(one.values() for one in before)) == {2}
    reader.finder.find(np.full((900, 900), 255, np.uint8))
    assert [count(network) for network in networks] == before
