"""A shadow version reads along: bounded, out of the way, compared, never in place of another."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from PIL import Image

from ml.digits import Box
from ml.reading.result import DigitReading
from predictions import services
from predictions.access.models import AuditEntry
from predictions.core.errors import PredictionsError, VersionRefused
from predictions.core.metrics import SHADOW_DIGITS, SHADOW_PICTURES, SHADOW_STATUSES
from predictions.core.records import PredictionRecord, Source
from predictions.recognition.uploads import Upload
from predictions.registry import activation, versions
from predictions.registry.models import Activation, ModelVersion
from predictions.review import queue
from predictions.review.corrections import Verdict
from predictions.review.models import ReviewItem
from predictions.services.retention import purge
from predictions.shadow import runs, worker
from predictions.shadow.agreement import Agreement, pair_digits
from predictions.shadow.models import ShadowDisagreement, ShadowRun
from predictions.shadow.worker import Shadow
from predictions.stores.interface import PredictionStore
from tests.support.html import alerts, find, text_of
from tests.support.networks import constant_network, write_model
from tests.support.pdf import pdf_of
from tests.support.records import make_digit, make_record

Png = Callable[..., bytes]


@pytest.fixture(scope="module")
def always_three() -> bytes:
    """A network that reads everything as 3."""
    return constant_network(3)


@pytest.fixture
def candidate(db: None, tmp_path: Path, always_three: bytes) -> int:
    """Version 1 is active and as good as the shipped one; 2 is new, and reads everything as 3."""
    versions.add(write_model(tmp_path / "good"))
    activation._switch(Activation(number=1, replaced=0, forced=True))
    return versions.add(write_model(tmp_path / "worse", network=always_three)).number


@pytest.fixture
def shadow(candidate: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shadow]:
    """The shadow of this process, whose thread the tests take the place of."""
    from predictions.recognition.active_reader import check_active_version

    check_active_version()
    monkeypatch.setattr(worker, "EVERY_S", 0.2)
    monkeypatch.setattr(worker, "_yield_to_others", lambda: None)  # the tests' thread keeps its own
    fresh = Shadow()
    monkeypatch.setattr(worker, "offer", fresh.offer)
    yield fresh
    ModelVersion.objects.update(active=False)
    check_active_version()


def start(shadow: Shadow, number: int, share: float = 1) -> ShadowRun:
    run = runs.start(number, share=share, by="olga")
    shadow.work()
    return run


def read(png: Png, *texts: str) -> list[PredictionRecord]:
    return [
        services.predict(Upload(png(text, size=60), f"{text}.png"), source=Source.API)[0]
        for text in texts
    ]


def agreement(run: ShadowRun) -> Agreement:
    run.refresh_from_db()
    return Agreement(run.counts)


def counted(counter: Any, *labels: object) -> float:
    return float(counter.labels(*labels)._value.get())


@pytest.mark.parametrize("each_store", ["sql"], indirect=True)
def test_reads_along_after_the_answer_and_compares(
    each_store: PredictionStore, shadow: Shadow, candidate: int, png: Png
) -> None:
    metrics = (
        (SHADOW_PICTURES, candidate, "same"),
        (SHADOW_PICTURES, candidate, "other"),
        (SHADOW_DIGITS, candidate, "8", "other"),
        (SHADOW_STATUSES, candidate, "read", "read"),
    )
    before = [counted(*each) for each in metrics]
    run = start(shadow, candidate)
    eight, three = read(png, "8", "3")
    services.predict(Upload(png("5")), source=Source.API, store=False)  # not kept, not read
    assert (eight.text, eight.model_version) == ("8", 1)
    assert not agreement(run).pictures  # whoever asked had their answer first
    shadow.work()
    seen = agreement(run)
    assert seen["text"] == {"same": 1, "other": 1}
    assert seen["digit"] == {"8 3": 1, "3 3": 1}
    assert seen["status"].total() == 2
    (kept,) = runs.disagreements(run)
    assert (kept.prediction_id, kept.answered_text, kept.text) == (eight.id, "8", "3")
    assert kept.answered_confidence == eight.confidence
    assert each_store.get(eight.id) == eight  # a prediction never changes
    assert [counted(*each) - was for each, was in zip(metrics, before, strict=True)][:3] == [1] * 3
    assert three.id not in {each.prediction_id for each in runs.disagreements(run)}


def test_nothing_is_read_while_requests_are_in_progress(
    shadow: Shadow, candidate: int, png: Png
) -> None:
    run = start(shadow, candidate)
    read(png, "8")
    shadow.is_busy = lambda: True
    shadow.work()
    assert not agreement(run).pictures
    shadow.is_busy = lambda: False
    shadow.work()
    assert agreement(run).pictures == 1


def test_a_page_that_is_being_read_pauses_for_a_request(
    shadow: Shadow, candidate: int, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAUSE_S", 0)
    run = start(shadow, candidate)
    read(png, "8")
    states = iter([False, *[True] * 9])  # a request comes once the page was taken
    shadow.is_busy = lambda: next(states, False)
    shadow.work()
    assert next(states, None) is None
    assert agreement(run).pictures == 1


def test_what_finds_no_room_is_dropped_and_counted(
    shadow: Shadow, candidate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(shadow, candidate)
    dropped = counted(SHADOW_PICTURES, candidate, "dropped")
    record = make_record("7", model_version=1)
    for _ in range(worker.MAX_WAITING + 4):
        shadow.offer(Upload(b"small"), [record])
    assert len(shadow._waiting) == worker.MAX_WAITING
    assert counted(SHADOW_PICTURES, candidate, "dropped") == dropped + 4
    shadow._waiting.clear()
    large = Upload(bytes(worker.MAX_WAITING_BYTES // 2))
    for _ in range(3):
        shadow.offer(large, [record])
    assert len(shadow._waiting) == 2
    # A share of them, and only what the version reads that it is compared with.
    shadow._waiting.clear()
    random.seed(17)
    monkeypatch.setattr(worker, "MAX_WAITING", 1000)
    start(shadow, candidate, share=0.25)
    for _ in range(400):
        shadow.offer(Upload(b"small"), [record])
        shadow.offer(Upload(b"small"), [make_record("7", model_version=0)])
    assert 70 < len(shadow._waiting) < 130


def test_numbers_are_read_and_files_that_need_a_process_are_not(
    shadow: Shadow, candidate: int
) -> None:
    run = start(shadow, candidate)
    left_out = counted(SHADOW_PICTURES, candidate, "left_out")
    pixels = [[255 if 12 < x < 16 and 4 < y < 24 else 0 for x in range(28)] for y in range(28)]
    services.predict(Upload(pixels=pixels), source=Source.API)
    services.predict(Upload(pdf_of(Image.new("L", (99, 99), 255)), "blank.pdf"), source=Source.API)
    shadow.work()
    assert agreement(run).pictures == 1
    assert counted(SHADOW_PICTURES, candidate, "left_out") == left_out + 1


def test_the_newest_are_kept_and_go_with_their_predictions(
    shadow: Shadow, candidate: int, png: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAX_DISAGREEMENTS", 3)
    run = start(shadow, candidate)
    records = read(png, "1", "2", "4", "5", "6")
    services.delete(records[4].id, by=None)  # before the shadow comes to it
    shadow.work()
    kept = [each.prediction_id for each in runs.disagreements(run)]
    assert kept == [record.id for record in records[3:0:-1]]
    services.delete(records[3].id, by=None)
    assert len(runs.disagreements(run)) == 2
    for _ in purge(records[2].created_at):
        pass
    assert [each.prediction_id for each in runs.disagreements(run)] == [records[2].id]


def test_one_version_at_a_time_and_only_one_that_can(
    shadow: Shadow, candidate: int, png: Png
) -> None:
    for number, share, code in (
        (1, 0.5, "already_active"),
        (candidate, 0, "bad_share"),
        (candidate, 1.1, "bad_share"),
        (candidate, float("nan"), "bad_share"),
        (9, 0.5, "not_found"),
    ):
        with pytest.raises(PredictionsError) as error:
            runs.start(number, share=share)
        assert error.value.code == code
    first = start(shadow, candidate)
    second = start(shadow, 0, share=0.5)
    first.refresh_from_db()
    assert (first.running, second.running, second.number) == (False, True, 0)
    read(png, "8", "8", "8")
    shadow.work()
    assert not agreement(first).pictures
    ModelVersion.objects.filter(number=candidate).update(network=b"TFL3 no network")
    with pytest.raises(VersionRefused, match="cannot run"):
        runs.start(candidate, share=1)
    runs.stop(0, by="olga")
    with pytest.raises(PredictionsError, match="No such version reads along"):
        runs.stop()
    shadow.work()
    assert shadow._run is None
    entries = AuditEntry.objects.filter(action__startswith="shadow").order_by("pk")
    assert [(entry.action, entry.target, entry.actor) for entry in entries] == [
        ("shadow_started", "model version 2", "olga"),
        ("shadow_stopped", "model version 2", "olga"),
        ("shadow_started", "model version 0", "olga"),
        ("shadow_stopped", "model version 0", "olga"),
    ]
    versions.delete(candidate)  # with its runs: another version may get its number
    assert [run.number for run in ShadowRun.objects.all()] == [0]


def test_digits_are_paired_by_where_they_stand() -> None:
    def at(digit: int, x: int) -> DigitReading:
        return DigitReading(**{**vars(make_digit(digit)), "box": Box(x, 5, 20, 28)})

    answered = [at(1, 0), at(2, 30), at(3, 60)]
    seen = [at(1, 2), at(7, 61), at(9, 100)]
    assert pair_digits(answered, seen) == [("1", "1"), ("2", "none"), ("3", "7"), ("none", "9")]
    assert pair_digits([], seen[:1]) == [("none", "1")]
    assert pair_digits(answered[:1], []) == [("1", "none")]
    # Two digits where the other sees one: one of them is paired.
    assert pair_digits([at(4, 0), at(5, 4)], [at(4, 0)]) == [("4", "4"), ("5", "none")]


def test_a_sent_picture_comes_first_and_back_when_its_answer_is_undone(
    shadow: Shadow, candidate: int, png: Png, olga: User
) -> None:
    run = start(shadow, candidate)
    olga.groups.add(Group.objects.get(name="reviewer"))
    (eight,) = read(png, "8")
    shadow.work()
    waiting = make_record("31", status="needs_review", confidence=0.01)
    queue.enqueue([waiting])
    assert runs.send_to_review(run, may_see=lambda record: False) == 0
    assert runs.send_to_review(run) == 1
    assert runs.send_to_review(run) == 0
    assert services.claim_review(olga) == eight
    services.answer_review(eight, verdict=Verdict.TEXT, text="8", by=olga)
    services.undo_correction(eight, by=olga)
    assert services.claim_review(olga) == eight


@pytest.mark.usefixtures("each_store")
def test_a_worse_candidate_is_found_out_and_not_activated(
    shadow: Shadow, candidate: int, png: Png, browser: Client, olga: User
) -> None:
    """From the start of the shadow to the refusal, by the pages."""
    olga.groups.set(Group.objects.filter(name="operator"))
    browser.force_login(olga)
    page = f"/models/{candidate}/"
    refused = browser.post(f"{page}shadow", {"percent": "much"}, follow=True)
    assert "The share must be from 0.001 to 1." in text_of(refused, "p", class_="note warning")
    shown = browser.post(f"{page}shadow", {"percent": "100"}, follow=True)
    assert "100% of the pictures that version 1 reads" in text_of(shown, "main")
    shadow.work()
    for text in "8038":
        file = SimpleUploadedFile(f"{text}.png", png(text, size=60))
        assert browser.post("/", {"file": file}).status_code == 302
    shadow.work()

    shown = browser.get(page)
    words = text_of(shown, "main")
    assert "Of 4 pictures, both read 1 alike (25.0%)." in words
    rows = [" ".join(row.text.split()) for row in find(shown, "tr")]
    assert {"8 2 0.0% 3 (2)", "3 1 100.0% –"} <= set(rows)
    pictures = [link.attributes["href"] for link in find(shown, "a")]
    listed = ShadowDisagreement.objects.order_by("-prediction_id")
    assert [each.answered_text for each in listed] == ["8", "0", "8"]
    assert all(f"/predictions/{each.prediction_id}/" in pictures for each in listed)

    sent = browser.post(f"{page}shadow/review", follow=True)
    assert "3 pictures were sent" in text_of(sent, "p", class_="note success")
    assert not find(sent, "form", action=f"{page}shadow/review")
    assert ReviewItem.objects.count() == 3
    for _ in range(2):  # the two 8 are the same picture: one answer corrects both
        browser.post("/review/")
        claimed = services.claimed_review(olga)
        assert claimed is not None
        browser.post(f"/review/{claimed.id}", {"verdict": "text", "text": claimed.text})
    assert services.claim_review(olga) is None

    words = text_of(browser.get(page), "main")
    assert (
        "Of 3 that they read otherwise and somebody reviewed, the active version read 3 right, "
        "the shadow 0." in words
    )
    refused = browser.post(f"{page}activate", {})
    assert refused.status_code == 409
    assert "reads worse" in alerts(refused)[0]
    browser.post(f"{page}shadow/stop")
    assert (versions.active_number(), runs.current()) == (1, None)
    assert "Of 4 pictures" in text_of(browser.get(page), "main")  # what was counted stays


def test_programs_and_commands_control_it_as_well(
    shadow: Shadow, candidate: int, png: Png, olga: User, capsys: pytest.CaptureFixture[str]
) -> None:
    olga.groups.set(Group.objects.filter(name="operator"))
    client = Client()
    client.force_login(olga)
    url = f"/api/v1/models/{candidate}/shadow"

    def post(path: str, **body: Any) -> Any:
        return client.post(path, body, content_type="application/json")

    assert client.get(url).status_code == 404
    assert [post(url, share=share).status_code for share in (0, 1.1, "much")] == [400] * 3
    assert post(url).status_code == 400
    started = post(url, share=1)
    assert started.status_code == 200
    assert (started.json()["running"], started.json()["against"]) == (True, 1)
    shadow.work()
    (eight,) = read(png, "8")
    shadow.work()
    told = client.get(url).json()
    assert told["agreement"]["digit"] == {"8 3": 1}
    (differing,) = told["disagreements"]
    assert (differing["prediction"], differing["text"]) == (str(eight.id), "3")
    assert post(f"{url}/review").json() == {"sent": 1}
    call_command("shadowmodel")
    assert "reads 100% of what version 1 reads: 1 pictures, 0 alike" in capsys.readouterr().out
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 404
    call_command("shadowmodel", "0", share=0.5)
    assert (runs.current() or runs.start(0, share=1)).share == 0.5
    call_command("shadowmodel", stop=True)
    with pytest.raises(CommandError):
        call_command("shadowmodel", stop=True)
    call_command("shadowmodel")
    assert "No version reads along." in capsys.readouterr().out
