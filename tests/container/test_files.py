"""Dockerfile, compose.yaml and compose.cluster.yaml, checked by linters and schemas."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.container.compose import read_compose

COMPOSE = ROOT / "compose.yaml"
CLUSTER = ROOT / "compose.cluster.yaml"
ONE, ALL = read_compose(COMPOSE), read_compose(COMPOSE, CLUSTER)
both = pytest.mark.parametrize("description", [ONE, ALL], ids=["compose.yaml", "with the cluster"])


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def check_compose(path: Path) -> subprocess.CompletedProcess[str]:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    return run(sys.executable, "-m", "check_jsonschema", *schema, str(path))


def test_hadolint_accepts_the_dockerfile() -> None:
    finished = run(str(Path(sys.executable).with_name("hadolint")), "Dockerfile")
    assert (finished.returncode, finished.stdout) == (0, "")


def test_compose_file_is_valid_by_the_compose_specification(tmp_path: Path) -> None:
    finished = check_compose(COMPOSE)
    assert finished.returncode == 0, finished.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("restart: unless-stopped", "restart: [1]"))
    assert check_compose(wrong).returncode != 0


def test_the_override_makes_a_valid_file_of_it(tmp_path: Path) -> None:
    merged = tmp_path / "compose.yaml"
    merged.write_text(yaml.safe_dump(ALL))
    assert check_compose(merged).returncode == 0, check_compose(merged).stdout


def conditions(description: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (name, other): dependency["condition"]
        for name, service in description["services"].items()
        for other, dependency in service.get("depends_on", {}).items()
    }


def test_the_site_starts_after_the_keyspace_and_the_keyspace_after_cassandra() -> None:
    assert conditions(ONE) == {
        ("prepare", "cassandra"): "service_healthy",
        ("web", "cassandra"): "service_healthy",
        ("web", "prepare"): "service_completed_successfully",
        ("web", "cache"): "service_started",
        ("webhooks", "prepare"): "service_completed_successfully",
        ("grafana", "prometheus"): "service_started",
    }
    assert ONE["services"]["cassandra"]["healthcheck"]["test"][0] == "CMD"


def test_nodes_start_one_after_another_and_nginx_after_both_replicas() -> None:
    more = {
        ("cassandra-2", "cassandra"): "service_healthy",
        ("cassandra-3", "cassandra-2"): "service_healthy",
        ("prepare", "cassandra-3"): "service_healthy",
        ("prepare", "postgres"): "service_healthy",
        ("web", "postgres"): "service_healthy",
        ("nginx", "web"): "service_healthy",
        ("nginx", "web-2"): "service_healthy",
    }
    found = conditions(ALL)
    second = {pair: found.pop(pair) for pair in list(found) if pair[0] == "web-2"}
    assert second == {("web-2", other): found["web", other] for _, other in second}
    assert found == conditions(ONE) | more
    for name in ("nginx", "postgres", "cassandra-2"):
        assert ALL["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_replicas_share_everything_and_their_secrets_come_from_the_environment() -> None:
    services = ALL["services"]
    environment = services["web"]["environment"]
    assert services["web-2"] == services["web"]
    for name in ("webhooks", "prepare"):
        assert services[name]["environment"] == environment
    nodes = environment["CASSANDRA_CONTACT_POINTS"].split(",")
    assert len(nodes) == int(environment["CASSANDRA_REPLICATION_FACTOR"]) == 3
    assert len({volume for name in nodes for volume in services[name]["volumes"]}) == 3
    hosts = re.findall(r"(?<=[/@])([a-z]+):\d+", " ".join(environment.values()))
    assert {*nodes, *hosts} == {*nodes, "cache", "postgres"} <= services.keys()
    secrets = [environment["SECRET_KEY"], services["postgres"]["environment"]["POSTGRES_PASSWORD"]]
    assert all(re.fullmatch(r"\$\{\w+:\?[^}]+\}", secret) for secret in secrets)
    assert secrets[1] in environment["DATABASE_URL"]
    upstream = (ROOT / "docs" / "run" / "nginx.cluster.conf").read_text()
    assert re.findall(r"^ +server ([\w-]+):8000 ", upstream, re.MULTILINE) == ["web", "web-2"]


@both
def test_every_file_that_a_service_takes_from_here_exists(description: dict[str, Any]) -> None:
    volumes = [v for s in description["services"].values() for v in s.get("volumes", [])]
    files = [volume.split(":")[0] for volume in volumes if volume.startswith("./")]
    assert len(files) >= 3
    assert [name for name in files if not (ROOT / name).is_file()] == []
    named = {volume.split(":")[0] for volume in volumes} - set(files)
    assert named == set(description["volumes"])
    sources = [c["source"] for s in description["services"].values() for c in s.get("configs", [])]
    assert sorted(sources) == sorted(description["configs"])
    assert all(yaml.safe_load(config["content"]) for config in description["configs"].values())


@both
def test_no_service_can_gain_privileges_or_serves_other_machines(
    description: dict[str, Any],
) -> None:
    for name, service in description["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    published = [port for s in description["services"].values() for port in s.get("ports", [])]
    assert len(published) == len({port.split(":")[1] for port in published}) == 2
