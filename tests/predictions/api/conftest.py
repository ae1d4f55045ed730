import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient


@pytest.fixture
def api() -> APIClient:
    """A client without an account."""
    return APIClient()


@pytest.fixture
def operator(db: None) -> User:
    """A user who may delete predictions."""
    user = User.objects.create_user("olga", password="correct horse")
    user.user_permissions.add(Permission.objects.get(codename="delete_prediction"))
    return user
