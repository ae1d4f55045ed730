"""With the Cassandra store, pictures are read and kept while SQL is down."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import ROOT, Server, StartServer, free_port, wait_until_ready
from tests.support import postgresql
from tests.support.api_client import post_picture
from tests.support.networks import write_model

SWAP_WITHIN_S = 2.0
DEAD_SQL = "postgresql://nobody@127.0.0.1:1/none"


@pytest.mark.cassandra
@pytest.mark.server
def test_predictions_that_need_review_are_kept_without_sql(
    cassandra_environment: dict[str, str],
    static_root: Path,
    var_dir: Path,
    png: Callable[..., bytes],
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        **cassandra_environment,
        "DJANGO_SETTINGS_MODULE": "mnistsite.settings",
        "PREDICTION_STORE": "cassandra",
        "CASSANDRA_KEYSPACE": "test_without_sql",
        "VAR_DIR": str(var_dir),
        "STATIC_ROOT": str(static_root),
        "PORT": str(port),
        "LOG_FORMAT": "json",
        "REVIEW_BELOW_CONFIDENCE": "1.0",
    }
    subprocess.run(
        [sys.executable, "manage.py", "createkeyspace"], cwd=ROOT, env=environment, check=True
    )
    environment["DATABASE_URL"] = DEAD_SQL
    log = var_dir / "gunicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:mnistsite.gunicorn_config"],
            cwd=ROOT,
            env=environment,
            stderr=output,
        )
    server = Server(f"http://127.0.0.1:{port}", var_dir, process, environment, log)
    try:
        wait_until_ready(server)
        picture = var_dir / "seven.png"
        picture.write_bytes(png("7"))
        for _ in range(3):
            answered = subprocess.run(
                ["curl", "-sS", "-F", f"file=@{picture}", f"{server.url}/api/v1/predictions"],
                capture_output=True,
                check=True,
            )
            answer = json.loads(answered.stdout)
            assert (answer["text"], answer["status"]) == ("7", "needs_review")
            assert answer["model_version"] == 0
    finally:
        server.stop()
    assert "review queue unavailable" in log.read_text()


@pytest.mark.cassandra
@pytest.mark.server
@pytest.mark.skipif(
    not postgresql.IS_AVAILABLE, reason="needs a PostgreSQL to take away (DATABASE_URL)"
)
def test_the_active_version_stays_active_while_sql_is_down(
    cassandra_environment: dict[str, str],
    start_server: StartServer,
    tmp_path: Path,
    png: Callable[..., bytes],
) -> None:
    with postgresql.temporary_database() as database:
        server = start_server(
            tmp_path,
            **cassandra_environment,
            PREDICTION_STORE="cassandra",
            CASSANDRA_KEYSPACE=f"test_{uuid4().hex[:12]}",
            DATABASE_URL=database.url,
        )
        server.manage("importmodel", str(write_model(tmp_path / "one")))
        server.manage("activatemodel", "1", "--force", "--reason", "a drill")

        def versions(keep_asking_s: float) -> set[int]:
            """Read pictures for a while, each kept; by which versions?"""
            until, seen = time.monotonic() + keep_asking_s, set()
            while time.monotonic() < until:
                answer = post_picture(server.url, png("7"), uuid4().hex)
                assert (answer.status, answer.body["text"]) == (201, "7")
                seen.add(answer.body["model_version"])
            return seen

        time.sleep(SWAP_WITHIN_S)
        assert versions(1.0) == {1}
        database.take_offline()
        assert versions(3 * SWAP_WITHIN_S) == {1}
        assert "active model version unknown" in server.log.read_text()
        database.bring_online()
        server.manage("activatemodel", "0", "--force", "--reason", "a drill")
        time.sleep(SWAP_WITHIN_S)
        assert versions(1.0) == {0}
        server.stop()
