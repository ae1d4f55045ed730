"""Nothing is lost when the sender is killed, the receiver is away, or says that it failed."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.conftest import EACH_STORE, ROOT, free_port
from tests.support.manage import manage, manage_environment
from tests.support.receiver import Receiver, receiver
from tests.support.waiting import wait_until

ADD_ENDPOINT = """
from predictions.webhooks.models import WebhookEndpoint
from predictions.webhooks.signing import new_secret
made = WebhookEndpoint(url="{url}", secret=new_secret(), events=["prediction.created"])
made.save()
print(made.secret)
"""
COUNT = 6


@pytest.mark.parametrize("store", EACH_STORE)
def test_every_event_arrives_whoever_is_killed(
    store: str, var_dir: Path, png: Callable[..., bytes], request: pytest.FixtureRequest
) -> None:
    settings = {
        "PREDICTION_STORE": store,
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1",
        "WEBHOOK_TIMEOUT": "1",
    }
    if store == "cassandra":
        settings |= request.getfixturevalue("cassandra_environment")
        kept_in = request.getfixturevalue("cassandra_store")
        settings["CASSANDRA_KEYSPACE"] = kept_in.session.keyspace

    def run(*arguments: str) -> str:
        finished = manage(var_dir, *arguments, **settings)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def start_sender() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "sendwebhooks"],
            cwd=ROOT,
            env=manage_environment(var_dir, **settings),
            stderr=subprocess.DEVNULL,
        )

    run("migrate", "-v0")
    port = free_port()
    secret = run("shell", "-v0", "-c", ADD_ENDPOINT.format(url=f"http://127.0.0.1:{port}/")).strip()
    pictures = var_dir / "pictures"
    pictures.mkdir()
    for number in range(COUNT):
        (pictures / f"{number}.png").write_bytes(png(str(number)))
    kept = run("predict", str(pictures), "--store", "--format", "json").splitlines()
    expected = {json.loads(line)["id"] for line in kept}
    assert len(expected) == COUNT

    def arrived(*receivers: Receiver) -> set[str]:
        received = [each for here in receivers for each in here.requests]
        for each in received:
            Webhook(secret).verify(each.body, each.headers)
        return {each.id for each in received}

    with receiver(port) as first:
        first.answering.clear()
        sender = start_sender()
        try:
            wait_until(lambda: len(first.requests) >= 2)
        finally:
            sender.kill()  # in the middle of its attempts
            sender.wait()
    sender = start_sender()
    try:
        time.sleep(2)  # the receiver is away
        with receiver(port) as second:
            second.statuses = [500] * COUNT
            wait_until(lambda: arrived(second) == expected)
            wait_until(lambda: len(second.requests) >= 2 * COUNT)
            assert arrived(second) == expected
            sender.terminate()
            assert sender.wait(20) == 0
            said = run("sendwebhooks", "--once")
            assert len(second.requests) == 2 * COUNT, said
    finally:
        sender.kill()
        sender.wait()
