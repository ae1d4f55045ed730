"""The dashboard and alerts in docs/run/: promtool accepts them, and /metrics has their metrics."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT

RUN = ROOT / "docs" / "run"
NAME = re.compile(r"\bmnistsite_\w+")
# What prometheus-client has in one process only.
OTHER_METRIC = re.compile(r"\b(?:process|python)_\w+")
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}


def promtool(*arguments: str | Path) -> None:
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs promtool (the Debian package prometheus)")
        pytest.skip("needs promtool (the Debian package prometheus)")
    finished = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
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
