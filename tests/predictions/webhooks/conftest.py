from collections.abc import Callable, Iterator
from ipaddress import ip_network
from threading import Event as Flag

import pytest
from django.conf import LazySettings

from predictions.webhooks import events
from predictions.webhooks.events import EventType, forget_wanted
from predictions.webhooks.models import WebhookEndpoint
from predictions.webhooks.sender import Sender
from predictions.webhooks.signing import new_secret
from tests.support.receiver import Receiver, receiver

Endpoint = Callable[..., WebhookEndpoint]


@pytest.fixture
def receiving() -> Iterator[Receiver]:
    with receiver() as here:
        yield here


@pytest.fixture
def endpoint(db: None, settings: LazySettings) -> Iterator[Endpoint]:
    """Add an endpoint at a URL; this machine may receive."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]

    def add(url: str, **fields: object) -> WebhookEndpoint:
        made = WebhookEndpoint.objects.create(
            url=url, secret=new_secret(), **{"events": list(EventType)} | fields
        )
        forget_wanted()
        return made

    yield add
    events._wanted = events._Wanted()


def send_once() -> None:
    Sender().run(Flag(), once=True)
