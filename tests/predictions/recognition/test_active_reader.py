"""The thread that follows the active version outlives whatever goes wrong in a check."""

from contextlib import suppress
from threading import Event, Thread

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
