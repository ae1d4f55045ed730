"""The steps of reading are timed where they run, for who collects."""

import time
from collections.abc import Iterator

from ml.timings import collect_timings, each_step, step


def test_steps_that_run_inside_others_are_counted_once() -> None:
    with collect_timings() as timings, step("outer"):
        time.sleep(0.01)
        with step("inner"):
            time.sleep(0.05)
    assert timings["inner"] >= 50
    assert 10 <= timings["outer"] < timings["inner"]


def test_a_step_that_runs_twice_is_added_up() -> None:
    @step("wait")
    def wait() -> None:
        time.sleep(0.01)

    with collect_timings() as timings:
        wait()
        wait()
    assert timings["wait"] >= 20


def test_items_are_timed_as_they_come_and_not_while_they_are_used() -> None:
    def slow() -> Iterator[int]:
        for number in range(2):
            time.sleep(0.01)
            yield number

    with collect_timings() as timings:
        for _ in each_step("make", slow()):
            time.sleep(0.2)
    assert 20 <= timings["make"] < 200


def test_nothing_is_collected_where_nobody_asks() -> None:
    with step("alone"):
        pass
    with collect_timings() as timings:
        pass
    assert timings == {}
