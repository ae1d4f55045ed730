"""Versions that requests name are loaded when they are, a few at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from ml.files import isolation
from ml.reading.reader import Reader
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.recognition import named_versions
from predictions.recognition.active_reader import get_reader
from predictions.recognition.named_versions import HeldReaders, VersionsBusy, get_reader_of
from predictions.registry import versions
from predictions.registry.models import ModelVersion
from tests.support.networks import write_model

pytestmark = pytest.mark.django_db


def test_as_many_are_held_as_may_be_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        versions.add(write_model(tmp_path / str(number)))
    held = HeldReaders()
    first = held.get(1)
    assert first.classifier.version == 1
    second = held.get(2)
    assert held.get(1) is first
    held.get(3)
    assert len(held._held) == named_versions.MAX_HELD
    assert held.get(1) is first
    assert held.get(2) is not second, "it was used least lately"


def test_the_active_version_is_not_loaded_twice() -> None:
    assert get_reader_of(None) is get_reader()
    assert get_reader_of(0) is get_reader()


def test_a_number_that_is_given_again_is_another_version(tmp_path: Path) -> None:
    held = HeldReaders()
    versions.add(write_model(tmp_path / "1"))
    first = held.get(1)
    versions.delete(1)
    with pytest.raises(PredictionsError, match="There is no model version 1"):
        held.get(1)
    versions.add(write_model(tmp_path / "2"))
    assert held.get(1) is not first


def test_a_damaged_version_is_refused(tmp_path: Path) -> None:
    versions.add(write_model(tmp_path / "1"))
    ModelVersion.objects.update(network=b"damaged")
    with pytest.raises(VersionRefused, match="model version 1 is damaged"):
        HeldReaders().get(1)


def test_who_would_wait_too_long_for_others_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_versions, "MAX_WAIT_S", 0.01)
    held = HeldReaders()
    thread = Thread(target=held._loading.acquire)
    thread.start()
    thread.join()
    with pytest.raises(VersionsBusy) as refused:
        held.get(0)
    assert (refused.value.status, refused.value.retry_after_s) == (503, 2)


def test_one_version_is_loaded_at_a_time_and_delays_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is asked for by turns: what is held is answered, and few wait."""
    monkeypatch.setattr(versions, "identity", lambda number: (number,))
    monkeypatch.setattr(versions, "get", lambda number: number)
    monkeypatch.setattr(named_versions, "MAX_WAIT_S", 0.3)
    monkeypatch.setattr(isolation, "MAX_QUEUE_S", 0.3)
    busy, loading, may_go_on = [0], Event(), Event()

    @contextmanager
    def idle() -> Iterator[None]:
        busy[0] -= 1
        try:
            yield
        finally:
            busy[0] += 1

    def load(version: int) -> Reader:
        if version > 1:
            loading.set()
            assert may_go_on.wait(10)
        return get_reader()

    monkeypatch.setattr(isolation, "idle", idle)
    monkeypatch.setattr(named_versions, "load_reader", load)
    held, outcomes = HeldReaders(), []
    held.get(1)

    def ask(number: int) -> None:
        try:
            held.get(number)
            outcomes.append("loaded")
        except VersionsBusy:
            outcomes.append("busy")

    first = Thread(target=ask, args=[2])
    first.start()
    assert loading.wait(10)
    others = [Thread(target=ask, args=[number]) for number in range(3, 9)]
    for thread in others:
        thread.start()
    assert held.get(1)
    for thread in others:
        thread.join()
    assert outcomes == ["busy"] * 6
    assert busy == [-1], "who loads does not count as busy"
    may_go_on.set()
    first.join()
    assert (outcomes[-1], busy) == ("loaded", [0])
