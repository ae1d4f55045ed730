import pytest
from rest_framework.test import APIClient


@pytest.fixture
def api() -> APIClient:
    """A client without an account."""
    return APIClient()
