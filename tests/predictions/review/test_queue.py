"""The review queue: least sure first, one reviewer an item, and never in a prediction's way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from predictions import services
from predictions.core.errors import CorrectionRefused, PredictionsError
from predictions.core.records import PredictionRecord, Source, Status
from predictions.recognition.uploads import Upload
from predictions.review import queue
from predictions.review.corrections import Verdict
from predictions.review.models import Correction, ReviewItem
from predictions.stores import get_store
from tests.support.handwriting import write
from tests.support.records import make_picture, make_record

Png = Callable[..., bytes]
pytestmark = pytest.mark.django_db


@pytest.fixture
def rita() -> User:
    return User.objects.create_user("rita")


def keep(margin: float = 0.2, *, queued: bool = True, **fields: Any) -> PredictionRecord:
    record = make_record("7", margin=margin, **{"status": Status.NEEDS_REVIEW, **fields})
    get_store().add(record, make_picture(record))
    if queued:
        queue.enqueue([record])
    return record


def lapse() -> None:
    ReviewItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.usefixtures("each_store")
def test_what_is_read_unsurely_waits_for_review(png: Png, settings: LazySettings) -> None:
    upload = Upload(png("7"), "seven.png")
    services.predict(upload, source=Source.API)
    assert queue.waiting() == 0
    settings.REVIEW_BELOW_CONFIDENCE = 1.0
    (record,) = services.predict(upload, source=Source.API)
    item = ReviewItem.objects.get()
    assert (item.prediction_id, item.margin, item.claimed_by) == (record.id, record.margin, "")
    services.predict(upload, source=Source.API, store=False)
    assert queue.waiting() == 1


def test_what_is_beside_the_digits_wants_review(
    settings: LazySettings,
) -> None:
    page = np.full((300, 700), 255, np.uint8)
    for digit, x in ((7, 60), (2, 220)):
        write(page, digit, x, 60, 160)
    for angle in range(0, 180, 30):  # a star
        x, y = (round(80 * f(np.radians(angle))) for f in (np.cos, np.sin))
        cv2.line(page, (450 - x, 140 - y), (450 + x, 140 + y), 25, 14, cv2.LINE_AA)
    upload = Upload(cv2.imencode(".png", page)[1].tobytes(), "star.png")
    (record,) = services.predict(upload, source=Source.API)
    assert record.text.startswith("7")
    assert record.confidence is not None
    assert record.confidence < settings.REVIEW_BELOW_CONFIDENCE
    assert record.status == Status.NEEDS_REVIEW
    assert queue.waiting() == 1


def test_the_hot_path_pays_one_insert(png: Png, settings: LazySettings) -> None:
    upload = Upload(png("7"), "seven.png")
    services.predict(upload, source=Source.API)  # loads the network
    counts = []
    for limit in (0.0, 1.0):
        settings.REVIEW_BELOW_CONFIDENCE = limit
        with CaptureQueriesContext(connection) as queries:
            services.predict(upload, source=Source.API)
        counts.append([query["sql"] for query in queries if "INSERT" in query["sql"]])
    assert len(counts[1]) == len(counts[0]) + 1


def test_a_queue_that_does_not_answer_stops_no_prediction(
    png: Png, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REVIEW_BELOW_CONFIDENCE = 1.0
    tries = []

    def fail(*arguments: object, **options: object) -> None:
        tries.append(arguments)
        raise OperationalError("no connection")

    monkeypatch.setattr(queue, "_not_before", 0.0)
    monkeypatch.setattr(ReviewItem.objects, "bulk_create", fail)
    upload = Upload(png("7"), "seven.png")
    for _ in range(3):
        (record,) = services.predict(upload, source=Source.API)
        assert get_store().get(record.id) == record
    assert len(tries) == 1  # the next ones do not wait for SQL again


def test_gives_the_least_sure_first() -> None:
    records = {margin: keep(margin) for margin in (0.3, 0.1, 0.2)}
    assert queue.claim("rita") == records[0.1]
    assert queue.claim("olga") == records[0.2]
    assert queue.claim("vera") == records[0.3]
    assert queue.claim("paul") is None


def test_a_reviewer_keeps_the_same_item_until_it_is_done(rita: User) -> None:
    first, second = keep(0.1), keep(0.2)
    assert queue.claim("rita") == queue.claim("rita") == first
    services.answer_review(first, verdict=Verdict.TEXT, text="1", by=rita)
    assert queue.claim("rita") == second
    assert queue.waiting() == 1
    assert Correction.objects.get().prediction_id == first.id


def test_a_claim_lapses_and_who_lost_it_is_told(rita: User) -> None:
    record = keep()
    assert queue.claim("rita") == record
    assert queue.claim("olga") is None
    lapse()
    assert queue.claim("olga") == record
    with pytest.raises(PredictionsError) as error:
        services.answer_review(record, verdict=Verdict.TEXT, text="1", by=rita)
    assert (error.value.code, error.value.status) == ("claim_lost", 409)
    assert not Correction.objects.exists()
    assert ReviewItem.objects.get().claimed_by == "olga"


def test_a_lapsed_claim_that_nobody_took_still_counts(rita: User) -> None:
    record = keep()
    queue.claim("rita")
    lapse()
    services.answer_review(record, verdict=Verdict.ILLEGIBLE, by=rita)
    assert queue.waiting() == 0


@pytest.mark.usefixtures("each_store")
def test_the_least_confident_text_comes_first() -> None:
    sure_of_each = keep(0.9, confidence=0.127)  # but not that none is missing
    unsure_of_one = keep(0.1, confidence=0.671)
    assert queue.claim("rita") == sure_of_each
    assert queue.claim("olga") == unsure_of_one


def test_items_of_one_picture_are_claimed_skipped_and_counted_together() -> None:
    first, second = keep(), keep()
    assert queue.waiting() == 1
    claimed = queue.claim("rita")
    assert claimed in (first, second)
    assert queue.claim("olga") is None
    assert claimed is not None
    queue.skip(claimed.id, "rita")
    assert queue.claim("olga") is None
    lapse()
    again = queue.claim("olga")
    assert again is not None
    assert queue.finish(again.id, "olga") == [r.id for r in (first, second) if r.id != again.id]
    assert queue.waiting() == 0


def test_a_rebuilding_puts_old_items_in_order() -> None:
    first, second = keep(0.1, confidence=0.2), keep(0.2, confidence=0.3)
    ReviewItem.objects.update(confidence=0.0, margin=F("margin") * -1)  # as before there was one
    call_command("rebuildreviewqueue")
    assert queue.claim("rita") == first
    assert queue.claim("olga") == second


def test_a_skipped_item_comes_again_later() -> None:
    first, second = keep(0.1), keep(0.2)
    queue.claim("rita")
    queue.skip(first.id, "rita")
    assert queue.claim("rita") == second
    assert queue.claim("olga") is None
    lapse()
    assert queue.claim("olga") == first


def test_only_the_claimant_can_skip_an_item() -> None:
    record = keep()
    queue.claim("rita")
    with pytest.raises(PredictionsError) as refusal:
        queue.skip(record.id, "olga")
    assert (refusal.value.code, refusal.value.status) == ("claim_lost", 409)
    assert ReviewItem.objects.get().claimed_by == "rita"
    assert queue.claim("rita") == record


def test_an_answer_that_is_refused_leaves_the_item_claimed(rita: User) -> None:
    record = keep()
    queue.claim("rita")
    with pytest.raises(CorrectionRefused):
        services.answer_review(record, verdict=Verdict.TEXT, text="seven", by=rita)
    assert ReviewItem.objects.get().claimed_by == "rita"
    assert not Correction.objects.exists()
    services.answer_review(record, verdict=Verdict.TEXT, text="7", by=rita)
    assert queue.waiting() == 0


def test_undo_brings_the_item_back_to_who_undid(rita: User) -> None:
    first, second = keep(0.1), keep(0.2)
    queue.claim("rita")
    services.answer_review(first, verdict=Verdict.TEXT, text="1", by=rita)
    assert queue.claim("rita") == second
    services.undo_correction(first, by=rita)
    assert queue.claim("rita") == first
    assert queue.claim("olga") is None


def test_undo_puts_nothing_into_the_queue_that_was_never_unsure(rita: User) -> None:
    record = keep(status=Status.READ, queued=False)
    services.correct(record, verdict=Verdict.TEXT, text="1", by=rita)
    services.undo_correction(record, by=rita)
    assert queue.waiting() == 0


@pytest.mark.usefixtures("each_store")
def test_what_was_corrected_or_deleted_elsewhere_is_not_given(rita: User) -> None:
    corrected, deleted, left = keep(0.1), keep(0.2), keep(0.3)
    services.correct(corrected, verdict=Verdict.TEXT, text="1", by=rita)
    queue.enqueue([corrected])  # as by a rebuilding that overtook the correction
    get_store().delete(deleted.id)
    assert queue.claim("rita") == left
    assert [item.prediction_id for item in ReviewItem.objects.all()] == [left.id]


@pytest.mark.usefixtures("each_store")
def test_is_made_again_from_the_predictions(rita: User) -> None:
    kept = [keep(0.1 * number, queued=False) for number in range(4)]
    keep(status=Status.READ, queued=False)
    services.correct(kept[3], verdict=Verdict.TEXT, text="1", by=rita)
    queue.enqueue([kept[1]])
    assert queue.claim("olga") == kept[1]
    call_command("rebuildreviewqueue")
    items = {item.prediction_id: item for item in ReviewItem.objects.all()}
    assert items.keys() == {record.id for record in kept[:3]}
    assert items[kept[1].id].claimed_by == "olga"
    assert items[kept[2].id].margin == pytest.approx(0.2)


def test_a_claim_that_lapsed_is_taken_anew() -> None:
    record = keep()
    queue.claim("rita")
    lapse()
    assert queue.claimed("rita") is None
    assert queue.claim("rita") == record
    assert queue.claimed("rita") == record
    assert queue.claim("olga") is None


def test_what_a_reviewer_may_not_see_is_not_claimed(settings: LazySettings, rita: User) -> None:
    settings.ANONYMOUS_READING = False
    rita.user_permissions.add(Permission.objects.get(codename="review_prediction"))
    for number in range(40):
        keep(number / 100, created_by="olga")
    own = keep(0.9, created_by="rita")
    assert services.claim_review(rita) == own
    services.answer_review(own, verdict=Verdict.ILLEGIBLE, by=rita)
    assert services.claim_review(rita) is None
    assert services.claimed_review(rita) is None
    ReviewItem.objects.filter(margin=0).update(  # claimed before the permission was withdrawn
        claimed_by="rita", claimed_until=timezone.now() + timedelta(minutes=5)
    )
    assert services.claim_review(rita) is None
    assert ReviewItem.objects.count() == 40


@pytest.mark.usefixtures("each_store")
def test_an_answer_takes_nothing_out_that_the_reviewer_may_not_see(
    settings: LazySettings, rita: User
) -> None:
    settings.HISTORY_VISIBLE_TO = "own"
    rita.user_permissions.add(Permission.objects.get(codename="review_prediction"))
    others, own, again = (keep(created_by=name) for name in ("olga", "rita", "rita"))
    claimed = services.claim_review(rita)
    assert claimed in (own, again)
    assert claimed is not None
    made = services.answer_review(claimed, verdict=Verdict.TEXT, text="7", by=rita)
    assert {correction.prediction_id for correction in made} == {own.id, again.id}
    assert [item.prediction_id for item in ReviewItem.objects.all()] == [others.id]
    assert queue.claim("olga") == others


def test_what_a_reviewer_may_not_see_is_not_counted(
    settings: LazySettings, rita: User, client: Client
) -> None:
    settings.HISTORY_VISIBLE_TO = "own"
    review = Permission.objects.get(codename="review_prediction")
    rita.user_permissions.add(review)
    for number in range(3):
        keep(number / 100, created_by="olga")
    keep(0.5)
    client.force_login(rita)
    assert client.get("/api/v1/review").json() == {"waiting": 0}
    page = client.get("/review/")
    assert (page.context["waiting"], page.context["claimable"]) == (0, False)
    keep(0.6, created_by="rita")
    assert client.get("/api/v1/review").json() == {"waiting": 1}
    assert client.get("/review/").context["claimable"]
    rita.user_permissions.add(Permission.objects.get(codename="view_prediction"))
    assert client.get("/api/v1/review").json() == {"waiting": 5}


def test_a_reviewer_reaches_own_items_behind_any_number_of_others(
    settings: LazySettings, rita: User
) -> None:
    settings.HISTORY_VISIBLE_TO = "own"
    item: dict[str, Any] = {"confidence": 0.1, "margin": 0.1, "created_by": "olga"}
    ReviewItem.objects.bulk_create(
        ReviewItem(prediction_id=make_record("7").id, picture=str(number), **item)
        for number in range(queue.MAX_SCANNED + 1)
    )
    own = keep(0.9, confidence=0.9, created_by="rita")
    assert services.claim_review(rita) == own


@pytest.mark.usefixtures("each_store")
def test_a_correction_of_a_deleted_prediction_is_refused(rita: User) -> None:
    record, claimed = keep(), keep()
    queue.claim("rita")
    queue.claim("rita")
    services.correct(claimed, verdict=Verdict.ILLEGIBLE, by=rita)
    for gone in (record, claimed):
        services.delete(gone.id, by=None)
        for change in (services.correct, services.answer_review):
            with pytest.raises(PredictionsError) as refusal:
                change(gone, verdict=Verdict.TEXT, text="1", by=rita)
            assert refusal.value.code in {"not_found", "claim_lost"}
        with pytest.raises(PredictionsError) as refusal:
            services.undo_correction(gone, by=rita)
        assert (refusal.value.code, refusal.value.status) == ("not_found", 404)
    assert not Correction.objects.exists()
    assert not ReviewItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_correction_outlives_a_deletion_that_races_it() -> None:
    rita = User.objects.create_user("rita")
    records = [keep(queued=False) for _ in range(25)]

    def attempt(action: Callable[[], object]) -> None:
        try:
            action()
        except (PredictionsError, OperationalError):  # in memory, SQLite does not wait
            pass
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for record in records:
            racing = [
                pool.submit(attempt, partial(services.delete, record.id, by=None)),
                pool.submit(
                    attempt,
                    partial(services.correct, record, verdict=Verdict.ILLEGIBLE, by=rita),
                ),
            ]
            for one in racing:
                one.result()
    kept = get_store().get_many(record.id for record in records)
    assert {entry.prediction_id for entry in Correction.objects.all()} <= set(kept)
