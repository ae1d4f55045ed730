"""Where Cassandra keeps predictions, they are read and kept while SQL is down."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Server, free_port, wait_until_ready

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
