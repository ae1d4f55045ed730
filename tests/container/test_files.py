"""Dockerfile and compose.yaml, checked by linters and schemas."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

COMPOSE = ROOT / "compose.yaml"


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


def test_the_site_starts_after_the_keyspace_and_the_keyspace_after_cassandra() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    conditions = {
        (name, other): dependency["condition"]
        for name, service in services.items()
        for other, dependency in service.get("depends_on", {}).items()
    }
    assert conditions == {
        ("prepare", "cassandra"): "service_healthy",
        ("web", "cassandra"): "service_healthy",
        ("web", "prepare"): "service_completed_successfully",
        ("web", "cache"): "service_started",
        ("webhooks", "prepare"): "service_completed_successfully",
        ("grafana", "prometheus"): "service_started",
    }
    assert services["cassandra"]["healthcheck"]["test"][0] == "CMD"


SERVICES = ["web", "webhooks", "prepare", "cassandra", "prometheus", "grafana"]


def test_every_file_that_a_service_takes_from_here_exists() -> None:
    description = yaml.safe_load(COMPOSE.read_text())
    volumes = [v for s in description["services"].values() for v in s.get("volumes", [])]
    files = [volume.split(":")[0] for volume in volumes if volume.startswith("./")]
    assert len(files) == 3
    assert [name for name in files if not (ROOT / name).is_file()] == []
    named = {volume.split(":")[0] for volume in volumes} - set(files)
    assert named == set(description["volumes"])
    sources = [c["source"] for s in description["services"].values() for c in s.get("configs", [])]
    assert sorted(sources) == sorted(description["configs"])
    assert all(yaml.safe_load(config["content"]) for config in description["configs"].values())


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_can_gain_privileges_or_serves_other_machines(service: str) -> None:
    description = yaml.safe_load(COMPOSE.read_text())["services"][service]
    assert description["cap_drop"] == ["ALL"]
    assert description["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in description.get("ports", []))
