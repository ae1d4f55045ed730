"""The dashboard and alerts in docs/run/: promtool accepts them, and Prometheus answers them."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT, Server, free_port
from tests.mnistsite.test_server import curl

RUN = ROOT / "docs" / "run"
NAME = re.compile(r"\bmnistsite_\w+")
# What prometheus-client has in one process only.
OTHER_METRIC = re.compile(r"\b(?:process|python)_\w+")
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}


def find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs {program} (the Debian package prometheus)")
        pytest.skip(f"needs {program} (the Debian package prometheus)")
    return found


def promtool(*arguments: str | Path) -> None:
    finished = subprocess.run(
        [find("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr


def queries_of_dashboard() -> list[str]:
    dashboard = json.loads((RUN / "grafana-dashboard.json").read_text())
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert {target["datasource"]["uid"] for target in targets} == {"${datasource}"}
    return [target["expr"].replace("$__rate_interval", "5m") for target in targets]


def alerts() -> dict[str, str]:
    """The query of each alert."""
    groups = yaml.safe_load((RUN / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_promtool_accepts_the_configuration_and_its_rules() -> None:
    promtool("check", "config", RUN / "prometheus.yml")


def test_each_alert_is_raised_by_what_it_is_for_and_none_by_an_ordinary_hour() -> None:
    promtool("test", "rules", Path(__file__).with_name("alerts_test.yml"))


def test_promtool_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query}
        for number, query in enumerate(queries_of_dashboard())
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


def test_the_runbook_says_what_to_do_at_each_alert() -> None:
    runbook = (RUN / "runbook.md").read_text()
    assert [name for name in alerts() if f"`{name}`" not in runbook] == []


@pytest.mark.parametrize("queries", [queries_of_dashboard(), [*alerts().values()]])
def test_every_metric_that_is_asked_for_exists(queries: list[str]) -> None:
    response = Client().get("/metrics")
    assert response.status_code == 200
    families = text_string_to_metric_families(response.content.decode())
    there = {
        family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, [])
    }
    asked = {name for query in queries for name in NAME.findall(query)}
    assert len(asked) > 5
    assert asked - there == set()
    assert [query for query in queries if OTHER_METRIC.search(query)] == []


@pytest.mark.server
def test_prometheus_scrapes_the_site_and_answers_the_dashboard(
    server: Server, png: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "seven.png").write_bytes(png("7"))
    curl(server, "/predict", tmp_path / "seven.png", "photo")
    shutil.copy(RUN / "alerts.yml", tmp_path)
    configuration = (RUN / "prometheus.yml").read_text()
    assert '"web:8000"' in configuration
    configuration = configuration.replace("web:8000", urlsplit(server.url).netloc)
    (tmp_path / "prometheus.yml").write_text(configuration.replace(": 15s", ": 1s"))
    address = f"127.0.0.1:{free_port()}"
    command = [
        find("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]

    def ask(path: str, **parameters: str) -> Any:
        url = f"http://{address}/api/v1/{path}?{urlencode(parameters)}"
        with urlopen(url, timeout=10) as response:
            return json.load(response)["data"]

    def is_scraped() -> bool:
        try:
            return bool(ask("query", query="up == 1 and count_over_time(up[10s]) > 3")["result"])
        except OSError:  # it is not ready, or does not listen yet
            return False

    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not is_scraped():
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
            rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
            assert {rule["name"] for rule in rules} == alerts().keys()
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}  # not evaluated yet
            empty = [q for q in queries_of_dashboard() if not ask("query", query=q)["result"]]
            named = {name for query in empty for name in NAME.findall(query)}
            assert named <= {"mnistsite_refused_total", "mnistsite_tensors_total"}  # none were
        finally:
            process.terminate()
