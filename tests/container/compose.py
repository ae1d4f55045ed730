"""Services of compose.yaml as arguments of `docker run`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# Keys that a single container does not need or that the tests replace.
ELSEWHERE = {
    "build",
    "depends_on",
    "env_file",
    "healthcheck",
    "image",
    "ports",
    "restart",
    "stop_grace_period",
}
DEFAULT = re.compile(r"\$\{\w+:-(.*?)\}")


@dataclass(frozen=True)
class Service:
    command: tuple[str, ...]
    environment: dict[str, str]
    options: tuple[str, ...]


def read_service(path: Path, name: str, *, project: str) -> Service:
    """Read one service; its volumes get the project's name in front, as compose does it.

    What `.env` may set gets its default, and hosts in addresses are this machine.
    """
    services = yaml.safe_load(path.read_text())["services"]
    description: dict[str, Any] = dict(services[name])
    command = tuple(description.pop("command"))
    host = re.compile(rf"(?<=//)({'|'.join(services)})(?=:)")
    environment = {
        key: host.sub("127.0.0.1", DEFAULT.sub(r"\1", value))
        for key, value in description.pop("environment").items()
    }
    options = []
    for key, value in description.items():
        if key not in ELSEWHERE:
            options += _options(key, value, project)
    return Service(command, environment, tuple(options))


def _options(key: str, value: Any, project: str) -> list[str]:
    match key:
        case "read_only":
            return ["--read-only"] if value else []
        case "volumes":
            return [f"--volume={project}_{volume}" for volume in value]
        case "cap_drop" | "security_opt" | "tmpfs":
            return [f"--{key.replace('_', '-')}={item}" for item in value]
    raise ValueError(f"compose.yaml says {key}, and the tests do not know how to run that")
