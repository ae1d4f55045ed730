"""The thread that runs an event loop while the loop's own thread is busy."""

import queue
import time
from collections.abc import Callable
from threading import get_ident

import pytest

from mnistsite.stand_in import PATIENCE_S, StandIn
from tests.support.waiting import wait_until

Event = Callable[[], object]


class Loop:
    """An event loop that handles functions, and by which threads."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.ran: list[tuple[str, int]] = []
        self.stand_in = StandIn(self.run_once, wake=lambda: self.events.put(int))

    def run_once(self) -> None:
        self.events.get(timeout=20)()

    def add(self, name: str) -> None:
        self.events.put(lambda: self.ran.append((name, get_ident())))

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.ran) >= count, 20)


def test_runs_the_loop_while_its_thread_is_busy_for_long() -> None:
    loop = Loop()
    for _ in range(3):
        loop.ran.clear()
        with loop.stand_in.may_take_over():
            assert loop.stand_in.is_loop_busy
            loop.add("first")
            loop.add("second")
            loop.wait_for(2)
        assert not loop.stand_in.is_loop_busy
        assert [name for name, _thread in loop.ran] == ["first", "second"]
        assert get_ident() not in [thread for _name, thread in loop.ran]
        loop.add("third")
        time.sleep(3 * PATIENCE_S)
        assert len(loop.ran) == 2, "it stopped"
        while len(loop.ran) == 2:
            loop.run_once()
        assert loop.ran[2] == ("third", get_ident())


def test_leaves_the_loop_to_a_thread_that_is_busy_for_a_moment() -> None:
    loop = Loop()
    loop.add("only")
    for _ in range(100):
        with loop.stand_in.may_take_over():
            pass
    assert not loop.ran
    assert loop.stand_in.is_loops_thread()
    loop.run_once()
    assert loop.ran == [("only", get_ident())]


def test_what_the_loop_raises_meanwhile_is_raised_in_its_thread() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    loop = Loop()
    loop.events.put(fail)
    with pytest.raises(ZeroDivisionError), loop.stand_in.may_take_over():
        time.sleep(10 * PATIENCE_S)
