"""Services of compose.yaml, as `docker run` has to be told to run them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What a single container does not need, or is asked otherwise.
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


@dataclass(frozen=True)
class Service:
    command: tuple[str, ...]
    environment: dict[str, str]
    options: tuple[str, ...]


def read_service(path: Path, name: str, *, project: str) -> Service:
    """Read one service; its volumes get the project's name in front, as compose does it."""
    description: dict[str, Any] = dict(yaml.safe_load(path.read_text())["services"][name])
    command = tuple(description.pop("command"))
    environment = description.pop("environment")
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
