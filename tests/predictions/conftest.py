from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from predictions.core.records import PredictionRecord
from predictions.stores import get_store
from tests.support.records import make_picture, make_record

Keep = Callable[..., PredictionRecord]
Picture = Callable[..., SimpleUploadedFile]


@pytest.fixture
def keep(db: None) -> Keep:
    """Store a prediction that reads `text`; other fields by name. Returns its record."""

    def add(text: str = "7", **fields: Any) -> PredictionRecord:
        record = make_record(text, **fields)
        get_store().add(record, make_picture(record))
        return record

    return add


@pytest.fixture
def picture(png: Callable[..., bytes]) -> Picture:
    """Make a picture of a digit as a browser uploads it."""

    def make(text: str = "7", name: str = "seven.png") -> SimpleUploadedFile:
        return SimpleUploadedFile(name, png(text), "image/png")

    return make


@pytest.fixture
def browser() -> Client:
    """A browser that asks for pages and has the CSRF cookie already."""
    client = Client(headers={"Accept": "text/html,*/*;q=0.8"})
    client.cookies["csrftoken"] = "a" * 32
    return client


@pytest.fixture
def ada(db: None) -> User:
    """A user without permissions."""
    return User.objects.create_user("ada", password="correct horse", first_name="Ada")


@pytest.fixture
def olga(db: None) -> User:
    """A user who may view and delete predictions."""
    user = User.objects.create_user("olga", password="correct horse")
    codenames = ["view_prediction", "delete_prediction"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.fixture
def operator(db: None) -> User:
    """A user who may delete predictions."""
    user = User.objects.create_user("olga", password="correct horse")
    user.user_permissions.add(Permission.objects.get(codename="delete_prediction"))
    return user
