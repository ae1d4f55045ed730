import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.fixture
def root(client: Client) -> User:
    """A superuser, who is signed in."""
    user = User.objects.create_superuser("root")
    client.force_login(user)
    return user
