"""Who may not see all predictions sees their own, on both stores."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import AnonymousUser, Permission, User
from rest_framework.test import APIClient

from predictions.access import visibility
from predictions.core.records import Filters, PredictionRecord, Source
from predictions.registry import versions
from predictions.registry.models import Activation
from predictions.stores.interface import PredictionStore
from tests.support.networks import write_model
from tests.support.records import NOON, make_picture, make_record, minutes

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(each_store: PredictionStore, settings: LazySettings) -> PredictionStore:
    settings.ANONYMOUS_READING = False
    return each_store


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def keep(store: PredictionStore, makers: Sequence[str | None]) -> list[PredictionRecord]:
    records = [
        make_record("7", at=NOON + minutes(i), created_by=maker) for i, maker in enumerate(makers)
    ]
    for record in records:
        store.add(record, make_picture(record))
    return records


def all_pages(viewer: Any, *, limit: int) -> tuple[list[PredictionRecord], list[int]]:
    """Everything a viewer finds by paging to the end, and how much came on each page."""
    found: list[PredictionRecord] = []
    sizes = []
    cursor = None
    while True:
        page = visibility.latest(viewer, Filters(), cursor=cursor, limit=limit)
        found += page.records
        sizes.append(len(page.records))
        if page.next is None:
            return found, sizes
        cursor = page.next


def test_one_sees_ones_own_and_nothing_else(store: PredictionStore, ada: User) -> None:
    hers, his, nobodys = keep(store, ["ada", "bob", None])
    assert visibility.get(ada, hers.id) == hers
    assert visibility.picture(ada, hers.id) == make_picture(hers)
    for record in (his, nobodys):
        assert visibility.get(ada, record.id) is None
        assert visibility.picture(ada, record.id) is None
        assert visibility.get(AnonymousUser(), record.id) is None


def test_a_list_of_ones_own_comes_whole_and_in_order(store: PredictionStore, ada: User) -> None:
    records = keep(store, ["ada", "bob", None] * 5)
    own = [record for record in records if record.created_by == "ada"][::-1]
    assert all_pages(ada, limit=2) == (own, [2, 2, 1])


def test_ones_own_are_found_at_once_behind_many_of_others(
    store: PredictionStore, ada: User
) -> None:
    (hers, *_others) = keep(store, ["ada"] + ["bob"] * 9)
    assert all_pages(ada, limit=5) == ([hers], [1])
    others = visibility.latest(ada, Filters(created_by="bob"), cursor=None, limit=5)
    assert others.records == []


@pytest.mark.parametrize(
    ("visible_to", "ada_sees", "nobody_sees"),
    [("everyone", 3, 3), ("signed-in", 3, 0), ("own", 1, 0)],
)
def test_a_setting_says_who_sees_what_is_kept(
    store: PredictionStore,
    ada: User,
    settings: LazySettings,
    visible_to: str,
    ada_sees: int,
    nobody_sees: int,
) -> None:
    settings.ANONYMOUS_READING = True
    settings.HISTORY_VISIBLE_TO = visible_to
    keep(store, ["bob", None])
    (mine,) = keep(store, ["ada"])
    for viewer, count in ((ada, ada_sees), (AnonymousUser(), nobody_sees)):
        page = visibility.latest(viewer, Filters(), cursor=None, limit=50)
        assert len(page.records) == len(list(visibility.export(viewer, Filters()))) == count
    assert visibility.get(ada, mine.id) == mine
    viewer = User.objects.create_user("vera")
    viewer.user_permissions.add(Permission.objects.get(codename="view_prediction"))
    assert len(visibility.latest(viewer, Filters(), cursor=None, limit=50).records) == 3


def test_who_is_not_known_sees_by_its_address_what_was_just_sent(
    store: PredictionStore, ada: User, settings: LazySettings
) -> None:
    settings.ANONYMOUS_READING = True
    settings.HISTORY_VISIBLE_TO = "own"
    now = datetime.now(UTC)
    fresh, old = make_record(at=now), make_record(at=now - minutes(61))
    command = make_record(at=now, source=Source.COMMAND)
    hers = make_record(at=now, created_by="ada")
    for record in (fresh, old, command, hers):
        store.add(record, make_picture(record))
    nobody = AnonymousUser()
    assert visibility.get(nobody, fresh.id) == fresh
    assert visibility.picture(nobody, fresh.id) == make_picture(fresh)
    for record in (old, command, hers):
        assert visibility.get(nobody, record.id) is None
        assert visibility.picture(nobody, record.id) is None
    assert visibility.get(ada, fresh.id) is None


def test_the_api_hides_what_is_somebody_elses(store: PredictionStore, ada: User) -> None:
    hers, his = keep(store, ["ada", "bob"])
    api = APIClient()
    api.force_authenticate(ada)
    listed = api.get("/api/v1/predictions").json()
    assert [result["id"] for result in listed["results"]] == [str(hers.id)]
    for rest in ("", "/preview.webp", "/digits/0.png"):
        assert api.get(f"/api/v1/predictions/{hers.id}{rest}").status_code == 200
        assert api.get(f"/api/v1/predictions/{his.id}{rest}").status_code == 404


@pytest.mark.parametrize("visible_to", ["everyone", "own"])
def test_who_added_and_activated_a_version_is_for_who_sees_what_others_sent(
    tmp_path: Path, settings: LazySettings, ada: User, visible_to: str
) -> None:
    settings.HISTORY_VISIBLE_TO = visible_to
    versions.add(write_model(tmp_path / "model"), by="grace")
    Activation.objects.create(number=1, replaced=0, by="grace", forced=True, reason="a test")
    viewer = User.objects.create_user("viewer")
    viewer.user_permissions.add(Permission.objects.get(codename="view_prediction"))
    for user, sees in (
        (None, visible_to == "everyone"),
        (ada, visible_to == "everyone"),
        (viewer, True),
    ):
        client = APIClient()
        if user is not None:
            client.force_login(user)
        for url in ("/models/", "/models/1/", "/api/v1/models", "/api/v1/models/1"):
            response = client.get(url)
            assert response.status_code == 200
            assert (b"grace" in response.content) == sees, (user, url)
