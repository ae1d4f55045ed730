"""The thread that follows the active version outlives whatever goes wrong in a check."""

from contextlib import suppress
from threading import Event, Thread
from threading import enumerate as enumerate_threads

import pytest

from predictions.core.metrics import VERSION_CHECK_ERRORS
from predictions.recognition import active_reader


@pytest.mark.django_db
def test_the_watch_goes_on_after_an_error_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [KeyError("manifest"), MemoryError(), RuntimeError("no interpreter")]
    checked = Event()

    def check() -> None:
        if errors:
            raise errors.pop()
        checked.set()
        raise SystemExit  # ends the thread, which otherwise would run for ever

    monkeypatch.setattr(active_reader, "CHECK_EVERY_S", 0.001)
    monkeypatch.setattr(active_reader, "check_active_version", check)
    before = VERSION_CHECK_ERRORS._value.get()

    def watch() -> None:
        with suppress(SystemExit):
            active_reader._watch()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    assert checked.wait(10)
    thread.join(10)
    assert VERSION_CHECK_ERRORS._value.get() == before + 3


@pytest.mark.django_db
def test_a_worker_prepares_for_as_many_pages_as_it_has_threads() -> None:
    active_reader.warm_up_for_pages(threads=3)
    for thread in enumerate_threads():
        if thread.name == "warm-up-for-pages":
            thread.join(30)
    page_reader = active_reader.get_reader().page_reader
    for network in (page_reader.finder._network, page_reader.line_reader._network):
        assert all(len(free) >= 3 for free in network._free.values())
        assert network._free
